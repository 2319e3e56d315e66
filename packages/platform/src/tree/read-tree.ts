import { lstat } from 'node:fs/promises';
import type { BytePath } from '../byte-path.ts';
import { OwnerTally } from './owner-tally.ts';
import { spreadWork } from './spread-work.ts';
import { addTotals, emptyTotals, type OwnerCount, type ReadJob, type TreeTotals } from './tree-job.ts';
import type { TreePool } from './worker-pool.ts';

/** What was read of a tree. */
export interface TreeReading {
  /**
   * One string for each entry, `<path>\0<rest>` where rest is `file <mode> <size> <sha256>`, `dir <mode> - -` or
   * `symlink - - <sha256>`; in no particular order. `sort()` brings them into manifest order. With `only` the hash of
   * every other file is {@link NOT_READ} and its mtime, ns.
   */
  readonly entries: string[];
  readonly totals: TreeTotals;
  /** Sockets, FIFOs and devices: seen, never opened, not among the entries. */
  readonly specials: BytePath[];
  readonly owners: readonly OwnerCount[];
}

export interface ReadOptions {
  /** What to read; default the whole tree. Paths that do not exist are left out of the result. */
  paths?: readonly BytePath[] | undefined;
  /** Whether directories are entered; default true. */
  deep?: boolean | undefined;
  /** Paths to leave out with all below them, such as the root's `.READY`. */
  skip?: readonly BytePath[] | undefined;
  /** Files whose contents are read, sorted; default all. */
  only?: readonly BytePath[] | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the totals so far; the object is the same one every time. */
  onProgress?: ((totals: Readonly<TreeTotals>) => void) | undefined;
}

/**
 * Reads and hashes every byte below `root`, or with `only` of some files; the root itself is no entry. Several calls may run at once on one pool.
 * @throws Node's `ENOENT` for the root; `EACCES` or `EIO`, naming the entry.
 */
export async function readTree(pool: TreePool, root: string, options: ReadOptions = {}): Promise<TreeReading> {
  const { paths = [''], deep = true, skip = [], only, signal, onProgress } = options;
  await lstat(root);
  const entries: string[] = [];
  const specials: BytePath[] = [];
  const totals = emptyTotals();
  const owners = new OwnerTally();
  await spreadWork(
    pool,
    paths,
    (share): ReadJob => ({
      kind: 'read',
      root,
      paths: share,
      deep,
      skip: [...skip],
      only: only === undefined ? null : share.flatMap((path) => (deep ? atOrBelow(only, path) : exactly(only, path))),
    }),
    (result) => {
      for (const entry of result.entries) entries.push(entry);
      for (const path of result.specials) specials.push(path);
      addTotals(totals, result.totals);
      owners.merge(result.owners);
      onProgress?.(totals);
    },
    signal,
  );
  return { entries, totals, specials: specials.sort(), owners: owners.list() };
}

function exactly(sorted: readonly BytePath[], path: BytePath): BytePath[] {
  return sorted[lowerBound(sorted, path)] === path ? [path] : [];
}

/** Those of the sorted paths that are `path` or lie below it. */
function atOrBelow(sorted: readonly BytePath[], path: BytePath): BytePath[] {
  if (path === '') return [...sorted];
  const below: BytePath[] = [];
  const own = lowerBound(sorted, path);
  if (sorted[own] === path) below.push(path);
  const prefix = `${path}/`;
  for (let at = lowerBound(sorted, prefix); sorted[at]?.startsWith(prefix) === true; at += 1)
    below.push(sorted[at] ?? '');
  return below;
}

/** Where `path` is or would be. */
function lowerBound(sorted: readonly BytePath[], path: BytePath): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') < path) low = middle + 1;
    else high = middle;
  }
  return low;
}
