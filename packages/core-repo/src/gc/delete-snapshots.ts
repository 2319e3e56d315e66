import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere, isThereNow, renameDirectory, syncDirectory, unlinkIfThere } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { runProgram } from '@jvs/platform/run-program';
import { listDirectory } from '../list-directory.ts';
import { SNAPSHOT_ID } from '../names.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { findIntents } from '../snapshot/intent.ts';
import { readManifestDifferences } from '../snapshot/manifest-bases.ts';
import { removeCounting } from './remove-counting.ts';
import { tombstonedIds, writeTombstone } from './tombstone.ts';

/** So many snapshots share the syncing of their directories. */
const BATCH = 32;

export interface Deletion {
  planId: string;
  /** Where this run moves trees. Whoever renames it stops the run. */
  directory: string;
  ids: readonly string[];
  onFreed: OnFreed;
  signal?: AbortSignal | undefined;
}

/** Told of the bytes that the removal of a tree set free. */
export type OnFreed = (bytes: number) => void;

/**
 * Deletes snapshots of a condemned plan: the tree moves into the run's directory, and only then the tombstone, the
 * descriptor and the manifest follow, and the tree is removed. What another run has moved is finished here too. False
 * when the run's directory was taken away; then nothing more is touched.
 */
export async function deleteSnapshots(
  r: Repository,
  { planId, directory, ids, onFreed, signal }: Deletion,
): Promise<boolean> {
  const bases = await neededBases(r, new Set(ids));
  for (let at = 0; at < ids.length; at += BATCH) {
    signal?.throwIfAborted();
    const batch = ids.slice(at, at + BATCH);
    for (const id of batch) if (!(await moveTree(r, id, directory))) return false;
    await syncDirectory(r.layout.snapshots);
    if (!(await syncIfThere(directory))) return false;
    await finishSnapshots(r, planId, batch, bases);
    await removeTrees(
      batch.map((id) => join(directory, id)),
      onFreed,
    );
  }
  return true;
}

/** False when the run's directory is gone. A source that is gone was moved by somebody else. */
async function moveTree(r: Repository, id: string, directory: string): Promise<boolean> {
  const tree = r.layout.snapshot(id);
  const move = async (): Promise<void> => renameDirectory(tree, join(directory, id));
  try {
    await move().catch(async (error: unknown) => {
      if (!hasCode(error, 'EROFS') || !(await isSubvolume(tree))) throw error;
      // A snapshot made by btrfs is read-only, also against being moved.
      await runProgram('btrfs', ['property', 'set', '-f', '-ts', tree, 'ro', 'false']);
      await move();
    });
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return await isThereNow(directory);
  }
  failpoint('gc:move');
  return true;
}

/** The root of a btrfs subvolume always has this number. */
async function isSubvolume(path: string): Promise<boolean> {
  return (await lstat(path)).ino === 256;
}

async function syncIfThere(directory: string): Promise<boolean> {
  try {
    await syncDirectory(directory);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Ends snapshots whose trees have been moved: tombstone first, so that history never has a gap, then the rest. */
export async function finishSnapshots(
  r: Repository,
  planId: string,
  ids: readonly string[],
  bases: ReadonlySet<string>,
): Promise<void> {
  const moved: string[] = [];
  for (const id of ids) if (!(await isThereNow(r.layout.snapshot(id)))) moved.push(id);
  for (const id of moved) {
    const descriptor = await findDescriptor(r, id);
    if (descriptor !== undefined) await writeTombstone(r, planId, descriptor);
    failpoint('gc:tombstone');
  }
  for (const id of moved) {
    await unlinkIfThere(r.layout.descriptor(id));
    failpoint('gc:descriptor');
  }
  await syncDirectory(r.layout.descriptors);
  for (const id of moved) {
    if (!bases.has(id)) await unlinkIfThere(r.layout.manifest(id));
    failpoint('gc:manifest');
  }
  await syncDirectory(r.layout.manifests);
}

export async function removeTrees(paths: readonly string[], onFreed: OnFreed): Promise<void> {
  for (const path of paths) {
    onFreed(await removeCounting(path));
    failpoint('gc:tree');
  }
}

/** Trees of snapshots in the directories of runs, under whatever name these have now. */
export async function movedTrees(r: Repository, runs: readonly string[]): Promise<{ id: string; path: string }[]> {
  const trees: { id: string; path: string }[] = [];
  for (const directory of await runDirectories(r, runs)) {
    for (const id of await listDirectory(directory)) {
      if (SNAPSHOT_ID.test(id)) trees.push({ id, path: join(directory, id) });
    }
  }
  return trees;
}

export async function runDirectories(r: Repository, runs: readonly string[]): Promise<string[]> {
  const names = await listDirectory(r.layout.tmp);
  const isOfRun = (name: string): boolean => runs.some((run) => name === `op-${run}` || name.startsWith(`op-${run}.`));
  return names.filter(isOfRun).map((name) => join(r.layout.tmp, name));
}

/** Snapshots whose manifests must stay, because that of a snapshot which is kept or in publication is a difference to them. */
export async function neededBases(r: Repository, doomed: ReadonlySet<string>): Promise<Set<string>> {
  const differences = await readManifestDifferences(r);
  const open = new Set((await findIntents(r)).map(({ snapshotId }) => snapshotId));
  const bases = new Set<string>();
  for (const [id, base] of differences) {
    if (!doomed.has(id) && (open.has(id) || (await isThere(r.layout.descriptor(id))))) bases.add(base);
  }
  return bases;
}

/** Removes manifests of deleted snapshots that were bases and are not any more. */
export async function removeFormerBases(r: Repository): Promise<void> {
  const bases = await neededBases(r, new Set());
  const deleted = new Set(await tombstonedIds(r));
  for (const file of await listDirectory(r.layout.manifests)) {
    const id = file.replace(/\.manifest$/, '');
    if (!deleted.has(id) || bases.has(id) || (await isThere(r.layout.descriptor(id)))) continue;
    await unlinkIfThere(r.layout.manifest(id));
  }
}
