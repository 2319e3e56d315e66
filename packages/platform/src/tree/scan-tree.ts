import { lstat } from 'node:fs/promises';
import { type BytePath, joinPath } from '../byte-path.ts';
import { errnoError } from '../errors.ts';
import { OwnerTally } from './owner-tally.ts';
import { type ScanEntry, unpackListing } from './packed-listing.ts';
import { spreadWork } from './spread-work.ts';
import { addTotals, emptyTotals, type OwnerCount, type ScanJob, type TreeTotals } from './tree-job.ts';
import type { TreePool } from './worker-pool.ts';

/** The names and fingerprints of a tree, without contents. */
export interface TreeScan {
  /** The packed entries of each directory by its path; read them with {@link entriesOf}. */
  readonly dirs: ReadonlyMap<BytePath, string>;
  /** The root's own `<st_mode> <uid> <gid>`. */
  readonly rootMetadata: string;
  /** The root itself is not counted. */
  readonly totals: TreeTotals;
  /** Sockets, FIFOs and devices, sorted. */
  readonly specials: readonly BytePath[];
  /** Files that share their inode with another one inside the tree, all but the first of each, sorted. */
  readonly hardLinked: readonly BytePath[];
  /** Entries on another device, sorted; not entered and not in `totals`. */
  readonly mounts: readonly BytePath[];
  readonly owners: readonly OwnerCount[];
}

export interface ScanOptions {
  /** Paths to leave out with all below them, such as the root's `.READY`: the scan is as if they were not there. */
  skip?: readonly BytePath[] | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the totals so far; the object is the same one every time. */
  onProgress?: ((totals: Readonly<TreeTotals>) => void) | undefined;
}

/**
 * Fingerprints every entry below `root` without following links or opening files. Entries that vanish meanwhile are
 * absent from the result.
 * @throws Node's `ENOENT` or `ENOTDIR` for the root, `EACCES` for a directory that may not be listed.
 */
export async function scanTree(pool: TreePool, root: string, options: ScanOptions = {}): Promise<TreeScan> {
  const { skip = [], signal, onProgress } = options;
  const stats = await lstat(root, { bigint: true });
  if (!stats.isDirectory()) throw errnoError('ENOTDIR', 'scandir', root);
  const device = String(stats.dev);
  const dirs = new Map<BytePath, string>();
  const totals = emptyTotals();
  const owners = new OwnerTally();
  const specials: BytePath[] = [];
  const linked: string[] = [];
  const mounts: BytePath[] = [];

  await spreadWork(
    pool,
    [''],
    (paths): ScanJob => ({ kind: 'scan', root, dirs: paths, device, skip: [...skip] }),
    (result) => {
      for (let index = 0; index < result.listings.length; index += 2) {
        dirs.set(result.listings[index] ?? '', result.listings[index + 1] ?? '');
      }
      addTotals(totals, result.totals);
      owners.merge(result.owners);
      for (const path of result.specials) specials.push(path);
      for (const entry of result.linked) linked.push(entry);
      for (const path of result.mounts) mounts.push(path);
      onProgress?.(totals);
    },
    signal,
  );
  return {
    dirs,
    rootMetadata: `${stats.mode} ${stats.uid} ${stats.gid}`,
    totals,
    specials: specials.sort(),
    hardLinked: repeatedInodes(linked),
    mounts: mounts.sort(),
    owners: owners.list(),
  };
}

function repeatedInodes(linked: string[]): BytePath[] {
  const seen = new Set<string>();
  const repeated: BytePath[] = [];
  for (const entry of linked) {
    const end = entry.indexOf('\0');
    const inode = entry.slice(0, end);
    if (seen.has(inode)) repeated.push(entry.slice(end + 1));
    else seen.add(inode);
  }
  return repeated.sort();
}

/** The entries of one directory in the order the filesystem gave them; none when it was not there to be scanned. */
export function entriesOf(scan: Pick<TreeScan, 'dirs'>, dir: BytePath): ScanEntry[] {
  return unpackListing(scan.dirs.get(dir) ?? '');
}

/** Every entry below the root with its path: a directory before its contents, else in no particular order. */
export function* allEntries(scan: TreeScan): Generator<ScanEntry & { path: BytePath }> {
  const pending: BytePath[] = [''];
  for (let dir = pending.pop(); dir !== undefined; dir = pending.pop()) {
    for (const entry of entriesOf(scan, dir)) {
      const path = joinPath(dir, entry.name);
      yield Object.assign(entry, { path });
      if (entry.kind === 'dir') pending.push(path);
    }
  }
}
