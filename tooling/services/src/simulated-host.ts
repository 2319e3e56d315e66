import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mountNamespaceOf, processesIn, signalAll, stateOf, waitUntil } from './processes.ts';
import { ENVIRONMENT, run } from './run.ts';

/** Another machine as programs see it: host name, boot id, mounts and network interfaces of its own. One kernel, one clock. */
export interface SimulatedHost {
  readonly name: string;
  /** A folder that is the host's own: everything but what is mounted there can be seen from outside too. */
  readonly folder: string;
  /** The process that keeps the host alive. */
  readonly first: number;
  /** Starts a program there. Its process id is the child's own. */
  readonly start: (program: string, args: readonly string[], options?: SpawnOptions) => ChildProcess;
  /** Runs a program there to its end and returns what it printed. */
  readonly run: (program: string, ...args: string[]) => Promise<string>;
  /** Everything that runs there, in no order. */
  readonly processes: () => number[];
  /** Ends everything that runs there, at once and without asking. */
  readonly kill: () => Promise<void>;
}

/** Makes the host and waits until it is there; it ends with this process if not before. */
export async function startHost(name: string, folder: string, setUp: readonly string[] = []): Promise<SimulatedHost> {
  await mkdir(folder, { recursive: true });
  const bootId = join(folder, 'boot-id');
  await writeFile(bootId, `${randomUUID()}\n`);
  const script = [
    'set -e',
    `echo ${name} >/proc/sys/kernel/hostname`,
    'ip link set lo up',
    `mount --bind '${bootId}' /proc/sys/kernel/random/boot_id`,
    'mount -t fusectl fusectl /sys/fs/fuse/connections',
    ...setUp,
    'echo up',
    'exec sleep infinity',
  ];
  const namespaces = ['--uts', '--mount', '--net', '--propagation', 'private'];
  const words = ['--pdeathsig', 'KILL', 'unshare', ...namespaces, 'sh', '-c', script.join('\n')];
  const keeper = spawn('setpriv', words, { env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = keeper;
  let said = '';
  keeper.stdout.on('data', (text: Buffer) => (said += text.toString()));
  keeper.stderr.on('data', (text: Buffer) => (said += text.toString()));
  await waitUntil(() => said.includes('up\n') || keeper.exitCode !== null, 10_000);
  if (pid === undefined || !said.includes('up\n')) throw new Error(`Cannot make the host ${name}: ${said}`);
  keeper.unref();
  const mountNamespace = mountNamespaceOf(pid) ?? '';
  const enter = ['--target', String(pid), '--uts', '--mount', '--net', '--'];
  const processes = (): number[] => processesIn(mountNamespace);
  return {
    name,
    folder,
    first: pid,
    start: (program, args, options) => spawn('nsenter', [...enter, program, ...args], { env: ENVIRONMENT, ...options }),
    run: async (program, ...args) => run('nsenter', [...enter, program, ...args]),
    processes,
    kill: async () => {
      const isGone = await waitUntil(() => {
        const left = processes().filter((running) => stateOf(running) !== undefined);
        signalAll(left, 'SIGKILL');
        return left.length === 0;
      }, 10_000);
      if (!isGone) throw new Error(`The host ${name} still has processes: ${processes().join(' ')}`);
    },
  };
}
