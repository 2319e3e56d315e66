import { lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { deleteTree } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';

const BLOCK_BYTES = 512;

/**
 * Deletes a tree that nobody reads any more, and tells how many bytes that set free: those allocated to files with no
 * other name left, so that what a kept snapshot has by hard links does not count. What is shared by reflinks does.
 * No program is started for it, since there may be thousands of small trees; rm has what this cannot do, such as paths
 * that are too long, and directories that must be opened first.
 */
export async function removeCounting(tree: string): Promise<number> {
  const freed = { bytes: 0 };
  try {
    await removeDirectory(Buffer.from(tree), freed);
  } catch {
    await deleteTree(tree);
  }
  return freed.bytes;
}

async function removeDirectory(path: Buffer, freed: { bytes: number }): Promise<void> {
  await setImmediate();
  const entries = readdirIfThere(path);
  for (const entry of entries) {
    const child = Buffer.concat([path, SLASH, entry.name as unknown as Buffer]);
    if (entry.isDirectory()) await removeDirectory(child, freed);
    else removeOne(child, unlinkSync, freed, 1);
  }
  removeOne(path, rmdirSync, freed, Infinity);
}

const SLASH = Buffer.from('/');

function readdirIfThere(path: Buffer): ReturnType<typeof readEntries> {
  try {
    return readEntries(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function readEntries(path: Buffer) {
  return readdirSync(path, { withFileTypes: true, encoding: 'buffer' });
}

/** Another run of the plan may be at the same tree, and faster. */
function removeOne(path: Buffer, remove: (path: Buffer) => void, freed: { bytes: number }, links: number): void {
  try {
    const { nlink, blocks } = lstatSync(path);
    remove(path);
    if (nlink <= links) freed.bytes += blocks * BLOCK_BYTES;
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
