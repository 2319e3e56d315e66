import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Calls `release` for each folder `<prefix><pid>-…` of the system's temporary folder whose process has ended. A process
 * that was killed could not clean up; the next one that needs the same thing does it.
 */
export async function sweepFolders(prefix: string, release: (folder: string) => void): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = name.startsWith(prefix) ? /^\d+(?=-)/.exec(name.slice(prefix.length))?.[0] : undefined;
    if (owner !== undefined && !isAlive(Number(owner))) release(join(tmpdir(), name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
