import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { start, type Command } from './run.ts';

/** In bytes, of a process and all that it started, at the worst of the moments that were looked at. */
export interface PeakMemory {
  /** Each page counted once: proportional set sizes. */
  pss: number;
  /** An upper bound: the largest resident set that each of the processes alive ever had, pages they share counted in each. */
  peakRss: number;
  samples: number;
}

const INTERVAL_MS = 20;
const KIB = 1024;

/** Runs a command, looking at its processes every 20 ms. Its time says nothing: the looking costs some. */
export async function measurePeakMemory(command: Command): Promise<PeakMemory> {
  const { pid, ended } = start(command);
  const peak: PeakMemory = { pss: 0, peakRss: 0, samples: 0 };
  const family = new Set(pid === undefined ? [] : [pid]);
  let isRunning = true;
  const end = ended.finally(() => (isRunning = false));
  end.catch(() => undefined);
  while (isRunning) {
    sample(family, peak);
    await delay(INTERVAL_MS);
  }
  await end;
  return peak;
}

function sample(family: Set<number>, peak: PeakMemory): void {
  addDescendants(family);
  let [pss, peakRss] = [0, 0];
  for (const pid of family) {
    pss += kibibytes(`/proc/${pid}/smaps_rollup`, /^Pss: +(\d+) kB/m) * KIB;
    peakRss += kibibytes(`/proc/${pid}/status`, /^VmHWM:\s+(\d+) kB/m) * KIB;
  }
  peak.pss = Math.max(peak.pss, pss);
  peak.peakRss = Math.max(peak.peakRss, peakRss);
  peak.samples += 1;
}

/** A member stays one when its parent ends, so that no orphan is lost. */
function addDescendants(family: Set<number>): void {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid)) parents.set(pid, parentOf(pid));
  }
  for (const pid of family) if (!parents.has(pid)) family.delete(pid);
  for (let before = -1; before !== family.size;) {
    before = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
}

/** The fourth field of `proc_pid_stat(5)`, after a name that may hold anything. */
function parentOf(pid: number): number {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
}

function kibibytes(path: string, line: RegExp): number {
  return Number(line.exec(readIfThere(path))?.[1] ?? 0);
}

/** Processes end between two looks, and while one is taken. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
