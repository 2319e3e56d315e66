import { spawnSync } from 'node:child_process';
import { accessSync, openSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasProgram } from '../system-packages.js';
import { juicefsProgram } from './juicefs-program.ts';
import { sweepFolders } from './leftovers.ts';
import { processesNaming, signalAll, stopAll, waitUntil } from './processes.ts';
import { startRedis, type RedisServer } from './redis-server.ts';
import { ENVIRONMENT, run } from './run.ts';
import { startHost, type SimulatedHost } from './simulated-host.ts';

/** A host that has mounted the volume. */
export interface JuiceHost extends SimulatedHost {
  /** Where; the same path on every host. Seen from outside it is an empty folder. */
  readonly volume: string;
  /** Stops all programs on the host in the middle of what they do, its mount aside. */
  readonly freezePrograms: () => Promise<void>;
  readonly thawPrograms: () => void;
  /** Stops the client of the filesystem: whoever asks it for anything waits. */
  readonly freezeMount: () => Promise<void>;
  readonly thawMount: () => void;
  /** Cuts the client of the filesystem off from its metadata, as a broken network does. */
  readonly cutOff: () => Promise<void>;
  readonly reconnect: () => Promise<void>;
}

export interface JuiceVolume {
  readonly hosts: readonly [JuiceHost, JuiceHost];
  /** Ends both hosts and removes everything, whatever still runs or hangs there. Calling it twice does no harm. */
  readonly stop: () => Promise<void>;
}

export interface JuiceOptions {
  /** For how many days JuiceFS keeps what was deleted; 0 changes what other hosts see of replaced files. Default: 1. */
  trashDays?: number;
}

const PREFIX = 'jvs-juicefs-';
/** What JuiceFS and its helpers need at least until a kill -9 of a fresh mount is harmless. */
const SETTLE_MS = 1200;

/** Why this machine cannot simulate two hosts on JuiceFS; undefined when it can. Tries what it takes. */
export function whyNoJuiceVolume(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'JuiceFS is only there for Linux on x86_64';
  if (process.getuid?.() !== 0) return 'it takes root';
  const missing = ['redis-server', 'redis-cli', 'python3', 'unshare', 'nsenter', 'setpriv', 'ip', 'mount'].filter(
    (program) => !hasProgram(program),
  );
  if (missing.length > 0) return `these programs are missing: ${missing.join(' ')}`;
  try {
    accessSync('/dev/fuse');
  } catch {
    return 'there is no /dev/fuse';
  }
  const words = ['--uts', '--mount', '--net', 'mount', '-t', 'fusectl', 'fusectl', '/sys/fs/fuse/connections'];
  const { status, stderr } = spawnSync('unshare', words, { encoding: 'utf8', env: ENVIRONMENT });
  return status === 0 ? undefined : `namespaces are not allowed: ${stderr.trim()}`;
}

/**
 * Makes a JuiceFS volume, with its metadata in a Redis and its data in a folder, and mounts it on two simulated hosts with
 * the client's caches as they are by default. Needs root; see {@link whyNoJuiceVolume}.
 */
export async function startJuiceVolume({ trashDays = 1 }: JuiceOptions = {}): Promise<JuiceVolume> {
  const juicefs = await juicefsProgram();
  await sweepFolders(PREFIX, sweep);
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const volume = join(folder, 'volume');
  await mkdir(volume);
  const atExit = (): void => sweep(folder);
  process.once('exit', atExit);
  const redis = await startRedis(folder);
  const hosts: JuiceHost[] = [];
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    process.off('exit', atExit);
    await Promise.all(hosts.map((host) => host.kill()));
    signalAll([redis.pid], 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const meta = `unix://${join(redis.socketFolder, 'socket')}?db=1`;
    const format = ['format', '--storage', 'file', '--bucket', `${join(folder, 'objects')}/`];
    await run(juicefs, ['--no-agent', ...format, '--trash-days', String(trashDays), meta, 'jvs']);
    for (const name of ['host-a', 'host-b']) hosts.push(await mountOn(name, { folder, volume, juicefs, redis }));
    await delay(SETTLE_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  const [first, second] = hosts;
  if (first === undefined || second === undefined) throw new Error('two hosts were made');
  return { hosts: [first, second], stop };
}

interface Parts {
  folder: string;
  volume: string;
  juicefs: string;
  redis: RedisServer;
}

async function mountOn(name: string, { folder, volume, juicefs, redis }: Parts): Promise<JuiceHost> {
  const own = join(folder, name);
  const sockets = join(own, 'redis');
  await mkdir(sockets, { recursive: true });
  // Its own way to the metadata and its own user there, so that it can be cut off alone.
  await redis.command('ACL', 'SETUSER', name, 'on', `>${name}`, '~*', '&*', '+@all');
  const host = await startHost(name, own, [`mount --bind '${redis.socketFolder}' '${sockets}'`]);
  const meta = `unix://${name}:${name}@${sockets}/socket?db=1`;
  const options = ['--no-usage-report', '--no-syslog', '--backup-meta', '0', '--metrics', '127.0.0.1:0'];
  const cache = ['--cache-dir', join(own, 'cache')];
  const log = openSync(join(own, 'juicefs.log'), 'a');
  const mount = host.start(juicefs, ['--no-agent', 'mount', meta, volume, ...options, ...cache], {
    stdio: ['ignore', log, log],
  });
  mount.unref();
  const isMounted = async (): Promise<boolean> =>
    (await host.run('stat', '-c', '%i %T', '-f', volume).catch(() => '')).includes('fuse') &&
    (await host.run('stat', '-c', '%i', volume).catch(() => '')).trim() === '1';
  if (!(await waitUntil(isMounted, 20_000))) {
    throw new Error(`${name} cannot mount: ${await readFile(join(own, 'juicefs.log'), 'utf8')}`);
  }
  // stat prints the device number; its minor part names the connection to the kernel.
  const device = Number(await host.run('stat', '-c', '%d', volume));
  const connection = (device & 0xff) | ((device >>> 12) & 0xfff00);
  const others = await host.run('pgrep', '-P', String(mount.pid)).catch(() => '');
  const clients = [mount.pid ?? 0, ...others.split('\n').filter(Boolean).map(Number)];
  return {
    ...host,
    volume,
    freezePrograms: () => stopAll(() => programs(host, clients)),
    thawPrograms: () => signalAll(programs(host, clients), 'SIGCONT'),
    freezeMount: () => stopAll(() => clients),
    thawMount: () => signalAll(clients, 'SIGCONT'),
    cutOff: async () => {
      await host.run('umount', '-l', sockets);
      await redis.command('CLIENT', 'KILL', 'USER', name);
    },
    reconnect: async () => {
      await host.run('mount', '--bind', redis.socketFolder, sockets);
    },
    kill: async () => {
      // Whoever waits for the mount cannot be killed before the kernel gives up on it.
      await host.run('sh', '-c', `echo 1 >/sys/fs/fuse/connections/${connection}/abort`).catch(() => undefined);
      await host.kill();
    },
  };
}

/** What runs on the host besides the filesystem's client and the process that keeps the host alive. */
function programs(host: SimulatedHost, clients: readonly number[]): number[] {
  return host.processes().filter((pid) => pid !== host.first && !clients.includes(pid));
}

/** What a killed process leaves: its hosts and its Redis have ended with it, what ran on the hosts has not. */
function sweep(folder: string): void {
  signalAll(processesNaming(folder), 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
