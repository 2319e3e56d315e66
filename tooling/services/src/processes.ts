import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** The mount namespace of a process, by which the processes of a simulated host are told from all others. */
export function mountNamespaceOf(pid: number | 'self'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

export function processesIn(mountNamespace: string): number[] {
  return allProcesses().filter((pid) => mountNamespaceOf(pid) === mountNamespace);
}

/** Processes, ourselves aside, with this text in their command line. */
export function processesNaming(text: string): number[] {
  return allProcesses().filter((pid) => {
    try {
      return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

function allProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The state letter of `proc_pid_stat(5)`; undefined when there is no such process, or only its exit status is left. */
export function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const state = stat.slice(stat.lastIndexOf(')') + 2)[0];
    return state === 'Z' || state === 'X' ? undefined : state;
  } catch {
    return undefined;
  }
}

/** Sends a signal to each; those that have ended are none of our concern. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}

/**
 * Stops all processes that `find` finds, those too that are started while it does so. One that waits in the kernel counts
 * as stopped: it gets the signal before it does anything else.
 */
export async function stopAll(find: () => number[]): Promise<void> {
  const signalled = new Set<number>();
  const areStopped = await waitUntil(() => {
    const running = find().filter((pid) => {
      const state = stateOf(pid);
      return !(state === undefined || state === 'T' || (state === 'D' && signalled.has(pid)));
    });
    signalAll(running, 'SIGSTOP');
    for (const pid of running) signalled.add(pid);
    return running.length === 0;
  }, 5000);
  if (!areStopped) throw new Error(`Some processes cannot be stopped: ${find().join(' ')}`);
}

/** Waits until `holds` does, at most `ms`; says whether it does. */
export async function waitUntil(holds: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
  for (const end = performance.now() + ms; ; await delay(20)) {
    if (await holds()) return true;
    if (performance.now() > end) return false;
  }
}
