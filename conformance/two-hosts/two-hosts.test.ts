import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import process from 'node:process';

import { startJuiceVolume, whyNoJuiceVolume, type JuiceVolume } from '@jvs/services';
import { describe, expect, test } from 'vitest';

import { checkHistory } from './check-history.ts';
import { readFinalRepository, type FinalRepository, type Verification } from './final-repository.ts';
import { failureOf, publishedBy, type LoggedCommand } from './logged-command.ts';
import { jvs, makeRepository, runWorkers, type Fault, type Run } from './run-hosts.ts';
import { tally } from './tally.ts';

const WHY_NOT = whyNoJuiceVolume();
const NOT_HERE = WHY_NOT === undefined ? '' : ` (not here: ${WHY_NOT})`;
const LONG = process.env['JVS_TEST_LONG'] === '1';
/** How long the programs are at work on each of the two volumes. */
const SECONDS = Number(process.env['JVS_TWO_HOSTS_SECONDS'] ?? (LONG ? 900 : 90));
const SEED = Number(process.env['JVS_SEED'] ?? Date.now() % 1_000_000);
const FAULTS: readonly Fault[] = ['programs frozen', 'mount frozen', 'cut off'];

/** Each on both hosts, one after the other, as often as there is time for; not the same ones first on each volume. */
function faultsFrom(first: number): Fault[] {
  const count = Math.max(4, Math.floor(SECONDS / 22));
  return Array.from({ length: count }, (_, n) => FAULTS[(Math.floor(n / 2) + first) % FAULTS.length] ?? 'cut off');
}

describe.runIf(WHY_NOT === undefined)(`four programs on each of two hosts${NOT_HERE}`, () => {
  test.for([1, 0])(
    `keep every promise, with a trash of %i days (JVS_SEED=${SEED})`,
    { timeout: 3 * SECONDS * 1000 + 300_000 },
    async (trashDays) => {
      const volume = await startJuiceVolume({ trashDays });
      try {
        const repository = await makeRepository(volume);
        const run = await runWorkers(volume, repository, {
          seconds: SECONDS,
          seed: SEED + trashDays,
          faults: faultsFrom(trashDays),
          isEnough,
        });
        expect(await judge(volume, repository.root, run)).toEqual([]);
      } finally {
        await volume.stop();
      }
    },
  );
});

/** What is wrong with the history; everything else that must hold throws. */
async function judge(volume: JuiceVolume, root: string, run: Run): Promise<string[]> {
  const [a, b] = volume.hosts;
  const kept = await mkdtemp(`${tmpdir()}/jvs-two-hosts-`);
  await keepLogs(volume, kept);
  await a.run('cp', '-a', root, `${kept}/before-repair`);
  try {
    await collectOnce(volume, root);
    await jvs(a, root, 'doctor', '--repair-runtime');
    expect(await jvs(b, root, 'doctor', '--strict')).toMatchObject({ healthy: true });
    expect(await jvs(b, root, 'audit', 'verify')).toMatchObject({ valid: true });
    const verification = await jvs<Verification>(b, root, 'verify', '--all');
    await b.run('cp', '-a', root, `${kept}/repository`);
    const repository = readFinalRepository(`${kept}/repository`, verification);

    const problems = checkHistory(run.commands, repository);
    if (problems.length > 0) return [...problems, `Logs and repository are kept in ${kept}`];
    expectMuch(run, repository);
  } catch (error) {
    throw new Error(`Logs and repository are kept in ${kept}. What the programs were told:\n${tally(run.commands)}`, {
      cause: error,
    });
  }
  await rm(kept, { recursive: true });
  return [];
}

/** With nobody else at work, so that something is collected in any case. */
async function collectOnce({ hosts: [, b] }: JuiceVolume, root: string): Promise<void> {
  const policy = ['--scope', 'all', '--keep-last', '2', '--min-age-ms', '600000'];
  const { plan_id } = await jvs<{ plan_id: string }>(b, root, 'gc', 'plan', ...policy);
  await jvs(b, root, 'gc', 'run', '--plan-id', plan_id);
}

/** A run in which nothing much happened proves nothing: both hosts published, and somebody was fenced off. */
function isEnough(commands: readonly LoggedCommand[]): boolean {
  const published = commands.filter((command) => publishedBy(command) !== undefined);
  const byHost = ['a', 'b'].map((host) => published.filter((command) => command.process.startsWith(host)).length);
  return Math.min(...byHost) > 2 && commands.some((command) => failureOf(command) === 'E_FENCING_MISMATCH');
}

function expectMuch({ commands }: Run, { states, tombstones }: FinalRepository): void {
  expect(isEnough(commands)).toBe(true);
  expect(states.flat().filter(({ kind }) => kind === 'steal').length).toBeGreaterThan(2);
  expect(tombstones.size).toBeGreaterThan(0);
}

async function keepLogs({ hosts }: JuiceVolume, kept: string): Promise<void> {
  for (const { folder, name } of hosts) {
    const isLog = (path: string): boolean => path === folder || path.endsWith('.log');
    await cp(folder, `${kept}/${name}`, { recursive: true, filter: isLog });
  }
}
