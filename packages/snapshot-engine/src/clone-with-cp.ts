import { chmod, lstat, mkdir } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { type BytePath, fsPath, parentPath } from '@jvs/platform/byte-path';
import { deleteTrees } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { topmostPaths, type TreeScan } from '@jvs/platform/tree';
import { type ClonePlan, planClone } from './clone-plan.ts';
import { copyDirectories } from './copy-directories.ts';
import { copyGroup, type CopyTask } from './copy-group.ts';
import type { CloneOptions, Degradation } from './snapshot-engine.ts';

/** Copying is bound by the kernel's work for each file; more at once only wait for the same directories. */
const COPIES_AT_ONCE = 2;

type Reflink = CopyTask['reflink'];

/** `SnapshotEngine.clone` by GNU cp. */
export async function cloneWithCp(
  reflink: Reflink,
  source: string,
  target: string,
  options: CloneOptions,
): Promise<readonly Degradation[]> {
  requireAbsolute(source, target);
  return await carryOut(planClone(options.scan), reflink, source, target, options);
}

/** `SnapshotEngine.reclone` by GNU cp. */
export async function recloneWithCp(
  reflink: Reflink,
  source: string,
  target: string,
  paths: readonly BytePath[],
  options: CloneOptions,
): Promise<readonly Degradation[]> {
  requireAbsolute(source, target);
  const wanted = paths.filter((path) => path !== '');
  const entries = topmostPaths(await Promise.all(wanted.map((path) => topmostToReplace(target, path))));
  // Removing and adding entries moves the times of the directories that hold them.
  const parents = [...new Set([...entries.map(parentPath), ...(paths.includes('') ? [''] : [])])].sort();
  for (const parent of parents) await chmod(fsPath(target, parent), 0o700);
  await deleteTrees(
    entries.map((path) => fsPath(target, path)),
    options.signal,
  );
  const lost = await carryOut(planClone(options.scan, entries), reflink, source, target, options, parents);
  // Their modes are new too.
  const inner = parents.filter((path) => path !== '');
  if (inner.length > 0) options.onCloned?.({ paths: inner, deep: false });
  return lost;
}

/**
 * The path itself, unless the copy has something else than a directory above it: it had vanished when its turn came, or
 * a symlink stood there, which would lead everything that follows out of the copy.
 */
async function topmostToReplace(target: string, path: BytePath): Promise<BytePath> {
  let top = path;
  for (let dir = parentPath(path); dir !== ''; dir = parentPath(dir)) {
    if (!(await isRealDirectory(target, dir))) top = dir;
  }
  return top;
}

async function isRealDirectory(target: string, path: BytePath): Promise<boolean> {
  try {
    return (await lstat(fsPath(target, path))).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  }
}

async function carryOut(
  { split, groups }: ClonePlan,
  reflink: Reflink,
  source: string,
  target: string,
  options: CloneOptions,
  parents: readonly BytePath[] = [],
): Promise<readonly Degradation[]> {
  const { scan, onCloned } = options;
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  signal.throwIfAborted();
  const lost = new Set<Degradation>();
  const task: CopyTask = { source, target, reflink, scan, lost, signal };

  for (const dir of split) await mkdir(fsPath(target, dir), { mode: 0o700 });
  const waiting = groups.values();
  async function copyInTurn(): Promise<void> {
    for (const group of waiting) {
      await copyGroup(task, group);
      onCloned?.({ paths: group.paths, deep: true });
    }
  }
  const copiers = Array.from({ length: COPIES_AT_ONCE }, async () => {
    try {
      await copyInTurn();
    } catch (error) {
      // The other one stops too; its own failure is then only this abort.
      failed.abort(error);
      throw error;
    }
  });
  const ends = await Promise.allSettled(copiers);
  options.signal?.throwIfAborted();
  for (const end of ends) if (end.status === 'rejected') throw failed.signal.reason;

  await copyDirectories(task, [...split, ...parents]);
  if (split.length > 0) onCloned?.({ paths: split, deep: false });
  if (reflink === 'auto' && !(await isOneFilesystem(source, target))) lost.add('fallback');
  if (scan.specials.length > 0) lost.add('special');
  if (scan.hardLinked.length > 0) lost.add('hardlink');
  if (await losesOwners(scan, target)) lost.add('owner');
  return [...lost].sort();
}

/** Extents are shared within one filesystem only; between two, cp falls back to copying. */
async function isOneFilesystem(source: string, target: string): Promise<boolean> {
  const [from, to] = await Promise.all([lstat(source), lstat(target)]);
  return from.dev === to.dev;
}

/** Without privilege cp keeps no foreign owner and says nothing: one entry of each owner tells. */
async function losesOwners(scan: TreeScan, target: string): Promise<boolean> {
  for (const { uid, gid, example } of scan.owners) {
    try {
      const copy = await lstat(fsPath(target, example));
      if (copy.uid !== uid || copy.gid !== gid) return true;
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
  }
  return false;
}

function requireAbsolute(source: string, target: string): void {
  if (!isAbsolute(source) || !isAbsolute(target)) throw new Error(`Not absolute: ${source}, ${target}`);
}
