import { readFileSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { JuiceHost, JuiceVolume } from '@jvs/services';
import { JVS_BIN, type Descriptor } from '@jvs/testkit';

import { readCommands, type LoggedCommand } from './logged-command.ts';

const WORKER = fileURLToPath(new URL('worker.js', import.meta.url));
const LONG_AGO = new URL('long-ago.js', import.meta.url).href;
const OLD_SNAPSHOTS = 12;
const WORKERS_A_HOST = 4;
const WORKTREES = ['main', 'red', 'blue'];

/** What happens to a host while its programs are at work. */
export type Fault = 'programs frozen' | 'mount frozen' | 'cut off';

export interface RunOptions {
  seconds: number;
  seed: number;
  faults: readonly Fault[];
  /** Whether what happened so far proves anything. A slow machine gets up to three times as long for that. */
  isEnough: (commands: readonly LoggedCommand[]) => boolean;
}

export interface Run {
  readonly commands: readonly LoggedCommand[];
  /** When which host, by its letter, was out of order; by the clock of the commands. */
  readonly outages: readonly { fault: Fault; host: 'a' | 'b'; from: number; to: number }[];
}

/** What the tests know of time: ms since the machine started, as workers log it. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** Runs jvs on a host as the administrator, in a session of its own. Returns the JSON document. */
export async function jvs<T>(host: JuiceHost, root: string, ...args: string[]): Promise<T> {
  return JSON.parse(await run(host, root, [], args)) as T;
}

/** What it prints is also there if it exits 1. */
async function run(host: JuiceHost, root: string, node: string[], args: string[]): Promise<string> {
  const variables = [`HOME=${host.folder}/home-admin`, 'JVS_SESSION=admin', 'TZ=UTC'];
  return host.run('env', '-C', root, ...variables, process.execPath, ...node, JVS_BIN, '--json', ...args);
}

/** A repository with three worktrees. Main has a history from long ago. Returns its root and the old snapshots. */
export async function makeRepository({ hosts: [host] }: JuiceVolume): Promise<{ root: string; old: string[] }> {
  const root = `${host.volume}/repo`;
  const longAgo = async (...args: string[]): Promise<string> => run(host, root, ['--import', LONG_AGO], args);
  await run(host, host.volume, ['--import', LONG_AGO], ['init', 'repo']);
  await longAgo('lock', 'acquire', '--worktree', 'main');
  const old: string[] = [];
  for (let n = 0; n < OLD_SNAPSHOTS; n += 1) {
    await host.run('sh', '-c', `echo ${n} >'${root}/main/old-${n}'`);
    const descriptor = JSON.parse(await longAgo('snapshot', '--worktree', 'main', `old ${n}`)) as Descriptor;
    old.push(descriptor.snapshot_id);
  }
  await longAgo('lock', 'release', '--worktree', 'main');
  for (const name of WORKTREES.slice(1)) await jvs(host, root, 'worktree', 'create', name);
  return { root, old };
}

/**
 * Lets four programs on each host use the repository for a while, with one fault after the other, each on one host and
 * longer than any lease, alternating between the hosts.
 */
export async function runWorkers(
  volume: JuiceVolume,
  { root, old }: { root: string; old: string[] },
  { seconds, seed, faults, isEnough }: RunOptions,
): Promise<Run> {
  const stopFile = (host: JuiceHost): string => `${host.folder}/stop`;
  const workers = volume.hosts.flatMap((host, h) =>
    Array.from({ length: WORKERS_A_HOST }, async (_, w) => {
      const settings = {
        name: `${'ab'[h]}${w}`,
        seed: seed * 100 + h * 10 + w,
        root,
        folder: host.folder,
        jvs: [process.execPath, JVS_BIN],
        worktrees: WORKTREES,
        // Nothing ever needs every fourth, so that there is something to collect.
        old: old.filter((_, n) => n % 4 !== 0),
        stopFile: stopFile(host),
      };
      await mkdir(host.folder, { recursive: true });
      const child = host.start(process.execPath, [WORKER, JSON.stringify(settings)], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      return new Promise<number | null>((resolve) => child.once('exit', resolve));
    }),
  );
  const outages: Run['outages'][number][] = [];
  const pause = (seconds * 1000) / (faults.length + 1) - FAULT_MS;
  for (const [turn, fault] of faults.entries()) {
    await delay(pause);
    const host = turn % 2 === 0 ? 'a' : 'b';
    const from = monotonicMs();
    await inflict(fault, volume.hosts[turn % 2 === 0 ? 0 : 1]);
    outages.push({ fault, host, from, to: monotonicMs() });
  }
  await delay(pause);
  const logged = (): LoggedCommand[] => volume.hosts.flatMap(({ folder }) => logsIn(folder).flatMap(readCommands));
  const giveUpAt = monotonicMs() + 2 * seconds * 1000;
  while (!isEnough(logged()) && monotonicMs() < giveUpAt) await delay(2000);
  for (const host of volume.hosts) await writeFile(stopFile(host), '');
  const codes = await Promise.all(workers);
  if (codes.some((code) => code !== 0)) throw new Error(`Workers ended with ${codes.join(' ')}`);
  return { commands: logged(), outages };
}

/** Longer than the longest lease, skew and grace together. */
const FAULT_MS = 9000;

async function inflict(fault: Fault, host: JuiceHost): Promise<void> {
  switch (fault) {
    case 'programs frozen':
      await host.freezePrograms();
      await delay(FAULT_MS);
      host.thawPrograms();
      return;
    case 'mount frozen':
      await host.freezeMount();
      await delay(FAULT_MS);
      host.thawMount();
      return;
    case 'cut off':
      await host.cutOff();
      await delay(FAULT_MS);
      await host.reconnect();
  }
}

function logsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log') && name !== 'juicefs.log')
    .map((name) => readFileSync(`${folder}/${name}`, 'utf8'));
}
