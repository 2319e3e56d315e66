import type { BytePath } from '@jvs/platform/byte-path';
import { readTree, type TreePool, type TreeScan, type TreeTotals } from '@jvs/platform/tree';
import { removePaths } from './remove-paths.ts';
import type { ClonedPart, Degradation, SnapshotEngine } from './snapshot-engine.ts';

/** A clone, and every byte of it read. */
export interface ClonedTree {
  /** Packed manifest entries of the copy in manifest order; see `readTree`. */
  readonly entries: readonly string[];
  readonly totals: Omit<TreeTotals, 'specials'>;
  readonly degradations: readonly Degradation[];
}

export interface CloneAndReadOptions {
  /** The entries of the source, as scanned just before. */
  scan: TreeScan;
  signal?: AbortSignal | undefined;
  /** Called with what has been read so far; `options.scan.totals` says of how much. */
  onProgress?: ((totals: ClonedTree['totals']) => void) | undefined;
}

/**
 * Clones a tree and reads each part of the copy as soon as it is there. To be sure of a source that others may write to:
 *
 *     let scan = await scanTree(pool, source);
 *     let cloned = await cloneAndRead(engine, pool, source, target, { scan });
 *     for (let round = 1; ; round += 1) {
 *       const now = await scanTree(pool, source);
 *       const changed = diffScans(scan, now);
 *       if (changed.length === 0) break;
 *       if (round > 3) throw …;
 *       cloned = await updateClone(engine, pool, source, target, cloned, changed, { scan: now });
 *       scan = now;
 *     }
 *
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

/** Brings an earlier result up to date for the paths that `diffScans` found; `options.scan` is the later scan. */
export async function updateClone(
  engine: SnapshotEngine,
  pool: TreePool,
  source: string,
  target: string,
  cloned: ClonedTree,
  changed: readonly BytePath[],
  options: CloneAndReadOptions,
): Promise<ClonedTree> {
  const read = await readParts(pool, target, options, (signal, onCloned) =>
    engine.reclone(source, target, changed, { scan: options.scan, signal, onCloned }),
  );
  const kept = withoutSubtrees(cloned.entries, changed);
  return finish([...kept, ...read.entries], [...cloned.degradations, ...read.degradations]);
}

interface PartsRead {
  entries: string[];
  degradations: readonly Degradation[];
}

async function readParts(
  pool: TreePool,
  target: string,
  { signal: outer, onProgress }: CloneAndReadOptions,
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
      const reading = await readTree(pool, target, { paths, deep, signal });
      for (const entry of reading.entries) entries.push(entry);
      specials.push(...reading.specials);
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
  await removePaths(target, specials, signal);
  return { entries, degradations: [...degradations, 'special'] };
}

function withoutSubtrees(entries: readonly string[], tops: readonly BytePath[]): string[] {
  const gone = new Set(tops);
  return entries.filter((entry) => {
    const path = entry.slice(0, entry.indexOf('\0'));
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (gone.has(path.slice(0, end))) return false;
    }
    return true;
  });
}

function finish(entries: string[], degradations: readonly Degradation[]): ClonedTree {
  const totals = { files: 0, dirs: 0, symlinks: 0, bytes: 0 };
  for (const entry of entries) {
    const [kind, , size] = entry.slice(entry.indexOf('\0') + 1).split(' ', 3);
    if (kind === 'dir') totals.dirs += 1;
    else if (kind === 'symlink') totals.symlinks += 1;
    else {
      totals.files += 1;
      totals.bytes += Number(size);
    }
  }
  return { entries: entries.sort(), totals, degradations: [...new Set(degradations)].sort() };
}
