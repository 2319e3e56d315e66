import { randomUUID } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { renameDirectory } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';

/**
 * Every move of an operation has its source or its target in the operation's own directory and goes by path. So whoever
 * renames that directory stops all who came before: their moves fail with ENOENT.
 */
export async function makeOpDirectory(r: Repository, opId: string): Promise<string> {
  const directory = r.layout.opDirectory(opId);
  await mkdir(directory);
  return directory;
}

/** Where the operation's directory is now: under its first name, or the one of its latest claim. */
export async function findOpDirectory(r: Repository, opId: string): Promise<string | undefined> {
  const first = `op-${opId}`;
  const names = (await listDirectory(r.layout.tmp)).filter((name) => name === first || name.startsWith(`${first}.`));
  const latest = names.sort((a, b) => claimNumber(a) - claimNumber(b)).at(-1);
  return latest === undefined ? undefined : join(r.layout.tmp, latest);
}

/** Takes the operation over from its author and from earlier settlers; undefined when another was faster. */
export async function claimOpDirectory(r: Repository, opId: string, current: string): Promise<string | undefined> {
  const claimed = `${r.layout.opDirectory(opId)}.${claimNumber(current) + 1}`;
  try {
    await rename(current, claimed);
    return claimed;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Whether the directory has been taken over from the operation's author. */
export function isClaimed(path: string): boolean {
  return claimNumber(path) > 0;
}

function claimNumber(name: string): number {
  return Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
}

/**
 * Moves a tree from the op directory to a payload's place. What a program made there in between is moved aside into the
 * op directory, never deleted; returned is where. @throws ENOENT when the op directory has been claimed by another
 */
export async function moveIntoPlace(opDirectory: string, name: string, target: string): Promise<string[]> {
  const intruders: string[] = [];
  for (;;) {
    try {
      await renameDirectory(join(opDirectory, name), target);
      return intruders;
    } catch (error) {
      if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw error;
      const aside = join(opDirectory, `intruder-${randomUUID()}`);
      await rename(target, aside).catch((failure: unknown) => {
        if (!hasCode(failure, 'ENOENT')) throw failure;
      });
      intruders.push(aside);
    }
  }
}
