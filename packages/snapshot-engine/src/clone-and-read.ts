import { type BytePath, fsPath } from '@jvs/platform/byte-path';
import { deleteTrees } from '@jvs/platform/durable-fs';
import { readTree, type TreePool, type TreeScan, type TreeTotals } from '@jvs/platform/tree';
import { kindOf, pathOf, sizeOf } from './packed-entry.ts';
import type { ClonedPart, Degradation, SnapshotEngine } from './snapshot-engine.ts';

/** A clone, and what was read of it: every byte, unless `only` said otherwise. */
export interface ClonedTree {
  /** Packed manifest entries of the copy in manifest order; see `readTree`. */
  readonly entries: readonly string[];
  readonly totals: Omit<TreeTotals, 'specials'>;
  readonly degradations: readonly Degradation[];
}

export interface CloneAndReadOptions {
  /** The entries of the source, as scanned just before. */
  scan: TreeScan;
  /** Files of the copy that are read, sorted; the hash of every other one is `NOT_READ`. Default: all. */
  only?: readonly BytePath[] | undefined;
  signal?: AbortSignal | undefined;
  /** Called with what has been read so far; `options.scan.totals` says of how much. */
  onProgress?: ((totals: ClonedTree['totals']) => void) | undefined;
}

/**
 * Clones a tree and reads each part of the copy as soon as it is there. A source that others may write to is scanned
 * again afterwards: `stalePaths` says what of the copy {@link updateClone} has to renew.
 * @throws what the engine's `clone` throws, and what `readTree` does.
 */
export async function cloneAndRead(
  engine: SnapshotEngine,
  pool: TreePool,
  source: string,
  target: string,
  options: CloneAndReadOptions,
): Promise<ClonedTree> {
  const read = await readParts(pool, target, options, (signal, onCloned) =>
    engine.clone(source, target, { scan: options.scan, signal, onCloned }),
  );
  return finish(read.entries, read.degradations);
}

/** Brings an earlier result up to date for the paths that `stalePaths` found; `options.scan` is the later scan. */
export async function updateClone(
  engine: SnapshotEngine,
  pool: TreePool,
  source: string,
  target: string,
  cloned: ClonedTree,
  changed: readonly BytePath[],
  options: CloneAndReadOptions,
): Promise<ClonedTree> {
  const renewed: ClonedPart[] = [];
  const read = await readParts(pool, target, options, (signal, onCloned) =>
    engine.reclone(source, target, changed, {
      scan: options.scan,
      signal,
      onCloned: (part) => {
        renewed.push(part);
        onCloned(part);
      },
    }),
  );
  const kept = withoutRenewed(cloned.entries, changed, renewed);
  return finish([...kept, ...read.entries], [...cloned.degradations, ...read.degradations]);
}

interface PartsRead {
  entries: string[];
  degradations: readonly Degradation[];
}

async function readParts(
  pool: TreePool,
  target: string,
  { only, signal: outer, onProgress }: CloneAndReadOptions,
  clone: (signal: AbortSignal, onCloned: (part: ClonedPart) => void) => Promise<readonly Degradation[]>,
): Promise<PartsRead> {
  const failed = new AbortController();
  const signal = outer === undefined ? failed.signal : AbortSignal.any([outer, failed.signal]);
  const entries: string[] = [];
  const specials: BytePath[] = [];
  const totals = { files: 0, dirs: 0, symlinks: 0, bytes: 0 };
  const readings: Promise<void>[] = [];

  async function read({ paths, deep }: ClonedPart): Promise<void> {
    try {
      const reading = await readTree(pool, target, { paths, deep, only, signal });
      for (const entry of reading.entries) entries.push(entry);
      for (const path of reading.specials) specials.push(path);
      totals.files += reading.totals.files;
      totals.dirs += reading.totals.dirs;
      totals.symlinks += reading.totals.symlinks;
      totals.bytes += reading.totals.bytes;
      onProgress?.(totals);
    } catch (error) {
      failed.abort(error);
    }
  }

  let degradations: readonly Degradation[] = [];
  try {
    degradations = await clone(signal, (part) => readings.push(read(part)));
  } catch (error) {
    failed.abort(error);
  }
  await Promise.all(readings);
  signal.throwIfAborted();
  if (specials.length === 0) return { entries, degradations };
  // Made in the source after the scan and copied as what they are; a snapshot holds none.
  await deleteTrees(
    specials.map((path) => fsPath(target, path)),
    signal,
  );
  return { entries, degradations: [...degradations, 'special'] };
}

/** The entries that still stand: neither below what was to change, nor read again with a part. */
function withoutRenewed(
  entries: readonly string[],
  changed: readonly BytePath[],
  renewed: readonly ClonedPart[],
): string[] {
  const subtrees = new Set(changed);
  const single = new Set<BytePath>();
  for (const { paths, deep } of renewed) for (const path of paths) (deep ? subtrees : single).add(path);
  return entries.filter((entry) => {
    const path = pathOf(entry);
    if (single.has(path)) return false;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (subtrees.has(path.slice(0, end))) return false;
    }
    return true;
  });
}

function finish(entries: string[], degradations: readonly Degradation[]): ClonedTree {
  const totals = { files: 0, dirs: 0, symlinks: 0, bytes: 0 };
  for (const entry of entries) {
    const kind = kindOf(entry);
    if (kind === 'dir') totals.dirs += 1;
    else if (kind === 'symlink') totals.symlinks += 1;
    else {
      totals.files += 1;
      totals.bytes += sizeOf(entry);
    }
  }
  return { entries: entries.sort(), totals, degradations: [...new Set(degradations)].sort() };
}
