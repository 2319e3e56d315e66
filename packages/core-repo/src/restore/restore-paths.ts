import { randomBytes } from 'node:crypto';
import { chmod, lchown, lstat, mkdir, utimes } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { displayPath, fromBytes, fsPath, parentPath, type BytePath } from '@jvs/platform/byte-path';
import { PathEscapeError, relativeInside } from '@jvs/platform/contained-path';
import { deleteTree, isThere, renameDirectory, syncDirectory, syncTree } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { readTree, scanTree, withTreePool } from '@jvs/platform/tree';
import { chooseEngine, type Degradation } from '@jvs/snapshot-engine';
import { compareManifests } from '../history/compare-manifests.ts';
import { READY_FILE } from '../layout.ts';
import { advance, type OnProgress } from '../progress.ts';
import { ExistsError, NotFoundError, UsageError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { PayloadMismatchError, pathOf, readManifestEntries } from '../snapshot/manifest.ts';
import { requireVisible } from '../snapshot/visible.ts';
import type { Restored } from './restore-result.ts';

export interface RestorePathsOptions {
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

export interface RestoredPaths extends Restored {
  mode: 'paths';
  worktree: null;
  content: 'verified';
  /** How many entries were asked for, with all below them. */
  entries: number;
}

/**
 * Copies parts of a snapshot to the directory `to`, which must not exist: each path, a directory with all below it, under
 * the name that it has in the snapshot. No worktree, lock or record is touched. The copy is made beside `to`, read and
 * compared with the manifest, and renamed, so `to` is never half made.
 * @param paths relative to the payload's root; bytes, since names need not be text
 * @throws NotFoundError naming the first path that the snapshot lacks; PathEscapeError, ExistsError, PayloadMismatchError
 */
export async function restorePaths(
  r: Repository,
  id: string,
  paths: readonly Uint8Array[],
  to: string,
  { signal, onProgress }: RestorePathsOptions = {},
): Promise<RestoredPaths> {
  const target = resolve(to);
  const wanted = paths.map((path) => normalized(path, r.layout.snapshot(id)));
  if (wanted.length === 0) throw new UsageError('No path is given to restore');
  await requireFreeTarget(r, target);
  const selected = await select(r, id, wanted);
  const staging = join(dirname(target), `.${basename(target)}.jvs-restore-${randomBytes(4).toString('hex')}`);
  try {
    const degradations = await copyOut(r, id, selected, staging, { signal, onProgress });
    await syncTree(staging, signal);
    failpoint('restore:staged');
    await renameDirectory(staging, target).catch((error: unknown) => {
      throw hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR') ? taken(target) : error;
    });
    await syncDirectory(dirname(target));
    return {
      mode: 'paths',
      snapshot_id: id,
      worktree: null,
      path: target,
      content: 'verified',
      previous_head: null,
      reason: null,
      kept: null,
      intruders: [],
      degradations,
      entries: selected.entries.length,
    };
  } catch (error) {
    await deleteTree(staging).catch(() => {});
    throw error;
  }
}

/** A path as the manifest spells it; `''` is the whole payload. */
function normalized(path: Uint8Array, root: string): BytePath {
  const text = fromBytes(path);
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (text.startsWith('/') || parts.includes('..')) throw new PathEscapeError(displayPath(text), root);
  return parts.join('/');
}

async function requireFreeTarget(r: Repository, target: string): Promise<void> {
  if (relativeInside(r.layout.control, target) !== undefined) {
    throw new UsageError(`"${target}" is inside the repository's own files`, { hint: 'Name another directory.' });
  }
  if (await isThere(target)) throw taken(target);
  if (!(await isThere(dirname(target)))) throw new NotFoundError('directory', dirname(target), 'Make it first.');
}

function taken(target: string): ExistsError {
  return new ExistsError('directory', target, 'Name one that does not exist yet.');
}

interface Selection {
  /** The paths that were asked for, none inside another. */
  roots: BytePath[];
  /** The manifest entries of these and all below them. */
  entries: string[];
  /** The directories above them, each before the ones inside it, with their entries. */
  above: Map<BytePath, string>;
}

async function select(r: Repository, id: string, wanted: readonly BytePath[]): Promise<Selection> {
  const descriptor = await requireVisible(r, id);
  const manifest = await readManifestEntries(r, id, descriptor.payload_root_hash.value);
  if (manifest === undefined) {
    throw new PayloadMismatchError(`The manifest of snapshot ${id} is lost`, {
      hint: 'Run "jvs doctor --repair-runtime": it makes the manifest anew from the payload.',
      details: { snapshot_id: id },
    });
  }
  const roots = [...new Set(wanted)].filter((path) => !wanted.some((other) => other !== path && isBelow(path, other)));
  const byPath = new Map(manifest.map((entry) => [pathOf(entry), entry]));
  const missing = wanted.find((path) => path !== '' && !byPath.has(path));
  if (missing !== undefined) throw new NotFoundError(`path in snapshot ${id}`, displayPath(missing));
  const above = new Map<BytePath, string>();
  for (const root of roots) {
    for (const dir of ancestorsOf(root)) above.set(dir, byPath.get(dir) ?? '');
  }
  const chosen = new Set(roots);
  const entries = manifest.filter((entry) => {
    const path = pathOf(entry);
    return chosen.has('') || chosen.has(path) || ancestorsOf(path).some((dir) => chosen.has(dir));
  });
  return { roots, entries, above: new Map([...above].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function isBelow(path: BytePath, directory: BytePath): boolean {
  return directory === '' || path.startsWith(`${directory}/`);
}

/** From the top down, without the root. */
function ancestorsOf(path: BytePath): BytePath[] {
  const dirs: BytePath[] = [];
  for (let dir = parentPath(path); dir !== ''; dir = parentPath(dir)) dirs.unshift(dir);
  return dirs;
}

async function copyOut(
  r: Repository,
  id: string,
  { roots, entries, above }: Selection,
  staging: string,
  { signal, onProgress }: RestorePathsOptions,
): Promise<readonly Degradation[]> {
  const source = r.layout.snapshot(id);
  return await withTreePool(async (pool) => {
    const scan = await scanTree(pool, source, { skip: [READY_FILE], signal });
    onProgress?.({ type: 'phase', phase: 'copying' });
    const { engine } = await chooseEngine(r.layout.tmp);
    let degradations: readonly Degradation[];
    if (roots.includes('')) degradations = await engine.clone(source, staging, { scan, signal });
    else {
      await mkdir(staging, { mode: 0o700 });
      for (const dir of above.keys()) await mkdir(fsPath(staging, dir), { mode: 0o700 });
      degradations = await engine.reclone(source, staging, roots, { scan, signal });
      for (const dir of [...above.keys(), ''].sort().reverse()) await copyDirectoryItself(source, staging, dir);
    }
    onProgress?.({ type: 'phase', phase: 'checking' });
    onProgress?.({ type: 'planned', files: entries.filter((entry) => entry.includes('\0file ')).length });
    const found = (await readTree(pool, staging, { signal, onProgress: advance(onProgress) })).entries.sort();
    const expected = [...entries, ...above.values()].sort();
    const paths = Object.values(compareManifests(expected, found)).flat();
    if (paths.length === 0) return degradations;
    throw new PayloadMismatchError(
      `The payload of snapshot ${id} differs from its manifest: ${paths.slice(0, 10).join(', ')}`,
      { hint: `Run "jvs verify ${id}" to see all of it.`, details: { snapshot_id: id, paths: paths.slice(0, 10) } },
    );
  });
}

/** Mode, times, and, where one may, the owner: as the engines do it for what they copy. */
async function copyDirectoryItself(source: string, target: string, dir: BytePath): Promise<void> {
  const { mode, uid, gid, atimeMs, mtimeMs } = await lstat(fsPath(source, dir));
  const path = fsPath(target, dir);
  await lchown(path, uid, gid).catch((error: unknown) => {
    if (!hasCode(error, 'EPERM')) throw error;
  });
  await chmod(path, mode & 0o7777);
  // A Date would cut the times to milliseconds.
  await utimes(path, atimeMs / 1000, mtimeMs / 1000);
}
