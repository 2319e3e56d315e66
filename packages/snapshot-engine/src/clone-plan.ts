import { type BytePath, joinPath, parentPath } from '@jvs/platform/byte-path';
import { entriesOf, type ScanEntry, type TreeScan } from '@jvs/platform/tree';

/** Entries of one directory that one run of the copying program takes, with all below them. */
export interface CopyGroup {
  readonly dir: BytePath;
  readonly paths: readonly BytePath[];
}

export interface ClonePlan {
  /** Directories to make ourselves, parents first: too large for one group, or with special files somewhere below. */
  readonly split: readonly BytePath[];
  readonly groups: readonly CopyGroup[];
}

/** Large enough that starting a program does not count, small enough that reading soon follows copying. */
const ENTRIES_A_GROUP = 6000;
/** Names travel as arguments: well below the 128 KiB that xargs allows itself. */
const NAME_BYTES_A_GROUP = 64 * 1024;

/** Cuts what is to be cloned, by default the whole tree, into groups of similar size. */
export function planClone(scan: TreeScan, roots: readonly BytePath[] = ['']): ClonePlan {
  const sizes = subtreeSizes(scan);
  const tainted = ancestorsOf(scan.specials);
  const split: BytePath[] = [];
  const groups: CopyGroup[] = [];

  function mustSplit(path: BytePath): boolean {
    return path === '' || tainted.has(path) || (sizes.get(path) ?? 0) > ENTRIES_A_GROUP;
  }

  function takeEntries(dir: BytePath, entries: readonly ScanEntry[]): void {
    const inner: BytePath[] = [];
    const open = openGroup(dir, groups);
    for (const { name, kind } of entries) {
      const path = joinPath(dir, name);
      if (kind === 'special') continue;
      if (kind === 'dir' && mustSplit(path)) inner.push(path);
      else open.add(path, 1 + (kind === 'dir' ? (sizes.get(path) ?? 0) : 0));
    }
    open.end();
    for (const path of inner) takeDirectory(path);
  }

  function takeDirectory(dir: BytePath): void {
    split.push(dir);
    takeEntries(dir, entriesOf(scan, dir));
  }

  for (const [dir, names] of byParent(roots)) {
    if (names.has('')) takeDirectory('');
    else
      takeEntries(
        dir,
        entriesOf(scan, dir).filter(({ name }) => names.has(name)),
      );
  }
  return { split, groups };
}

function openGroup(dir: BytePath, groups: CopyGroup[]): { add(path: BytePath, entries: number): void; end(): void } {
  let paths: BytePath[] = [];
  let entries = 0;
  let bytes = 0;
  function end(): void {
    if (paths.length > 0) groups.push({ dir, paths });
    paths = [];
    entries = 0;
    bytes = 0;
  }
  function add(path: BytePath, count: number): void {
    if (entries + count > ENTRIES_A_GROUP || bytes + path.length > NAME_BYTES_A_GROUP) end();
    paths.push(path);
    entries += count;
    bytes += path.length + 3;
  }
  return { add, end };
}

/** How many entries lie below each directory. */
function subtreeSizes(scan: TreeScan): Map<BytePath, number> {
  const sizes = new Map<BytePath, number>();
  // Longest first: every directory comes before the one that holds it.
  for (const dir of [...scan.dirs.keys()].sort((a, b) => b.length - a.length)) {
    const size = (sizes.get(dir) ?? 0) + countEntries(scan.dirs.get(dir) ?? '');
    sizes.set(dir, size);
    if (dir !== '') sizes.set(parentPath(dir), (sizes.get(parentPath(dir)) ?? 0) + size);
  }
  return sizes;
}

function countEntries(listing: string): number {
  if (listing === '') return 0;
  let count = 1;
  for (let at = listing.indexOf('/'); at >= 0; at = listing.indexOf('/', at + 1)) count += 1;
  return count;
}

function ancestorsOf(paths: readonly BytePath[]): Set<BytePath> {
  const ancestors = new Set<BytePath>();
  for (const path of paths) {
    for (let dir = parentPath(path); dir !== '' && !ancestors.has(dir); dir = parentPath(dir)) ancestors.add(dir);
  }
  return ancestors;
}

/** The names to take of each directory; the root has the name `''`. */
function byParent(paths: readonly BytePath[]): Map<BytePath, Set<BytePath>> {
  const byDir = new Map<BytePath, Set<BytePath>>();
  for (const path of paths) {
    const dir = parentPath(path);
    const names = byDir.get(dir) ?? new Set();
    byDir.set(dir, names.add(path.slice(path.lastIndexOf('/') + 1)));
  }
  return byDir;
}
