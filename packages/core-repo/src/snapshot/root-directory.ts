import { chmod, lstat, utimes } from 'node:fs/promises';
import { runProgram } from '@jvs/platform/run-program';

/**
 * Lets `work` change the entries of a directory, and gives it back the mode and times, to the microsecond, that it had:
 * payload roots may be read-only, and their times are the user's.
 */
export async function keepingDirectory<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const { mode, atimeNs, mtimeNs } = await lstat(directory, { bigint: true });
  const permissions = Number(mode) & 0o7777;
  const isClosed = (permissions & 0o300) !== 0o300;
  if (isClosed) await chmod(directory, permissions | 0o700);
  try {
    return await work();
  } finally {
    if (isClosed) await chmod(directory, permissions);
    await setTimes(directory, atimeNs, mtimeNs);
  }
}

async function setTimes(path: string, atimeNs: bigint, mtimeNs: bigint): Promise<void> {
  await utimes(path, secondsOf(atimeNs), secondsOf(mtimeNs));
  // Node takes a number before 1970 for now.
  if (mtimeNs < 0n) await runProgram('touch', ['-c', '-m', '-d', `@${decimalSeconds(mtimeNs)}`, path]);
}

/** A Date would cut off all below a millisecond. Node cuts off all below a microsecond, so half of one is added. */
function secondsOf(ns: bigint): number {
  const wholeSeconds = ns / 1_000_000_000n;
  const microseconds = Number(ns % 1_000_000_000n) / 1000;
  return Number(wholeSeconds) + (Math.floor(microseconds) + 0.5) / 1_000_000;
}

function decimalSeconds(negativeNs: bigint): string {
  const digits = String(-negativeNs).padStart(10, '0');
  return `-${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
