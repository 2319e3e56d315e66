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
   * `symlink - - <sha256>`; in no particular order. `sort()` brings them into manifest order.
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
  signal?: AbortSignal | undefined;
  /** Called with the totals so far; the object is the same one every time. */
  onProgress?: ((totals: Readonly<TreeTotals>) => void) | undefined;
}

/**
 * Reads and hashes every byte below `root`; the root itself is no entry. Several calls may run at once on one pool.
 * @throws Node's `ENOENT` for the root; `EACCES` or `EIO`, naming the entry.
 */
export async function readTree(pool: TreePool, root: string, options: ReadOptions = {}): Promise<TreeReading> {
  const { paths = [''], deep = true, skip = [], signal, onProgress } = options;
  await lstat(root);
  const entries: string[] = [];
  const specials: BytePath[] = [];
  const totals = emptyTotals();
  const owners = new OwnerTally();
  await spreadWork(
    pool,
    paths,
    (share): ReadJob => ({ kind: 'read', root, paths: share, deep, skip: [...skip] }),
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
