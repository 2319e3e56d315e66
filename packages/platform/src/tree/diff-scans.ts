import { type BytePath, joinPath, parentPath } from '../byte-path.ts';
import { type ScanEntry, unpackListing } from './packed-listing.ts';
import type { TreeScan } from './scan-tree.ts';

/**
 * The topmost paths that were added, removed or changed between two scans of a tree, sorted; `''` is the root's own mode
 * or owner. A directory counts as changed when it is another one, by its mode or owner, or when only its ctime moved: it
 * may have been renamed and have come back. Otherwise its times and size move with its entries, which are named themselves.
 */
export function diffScans(before: TreeScan, after: TreeScan): BytePath[] {
  const changed = new Set<BytePath>(before.rootMetadata === after.rootMetadata ? [] : ['']);
  for (const [dir, listing] of after.dirs) {
    const old = before.dirs.get(dir);
    if (old === undefined) changed.add(dir);
    else if (old !== listing) compareListings(dir, unpackListing(old), unpackListing(listing), changed);
  }
  // One that vanished while it was being scanned is still listed in the directory above.
  for (const dir of before.dirs.keys()) if (!after.dirs.has(dir)) changed.add(dir);
  return topmostPaths(changed);
}

/** Without those that lie below another one, sorted. The root `''` stands for itself alone. */
export function topmostPaths(paths: Iterable<BytePath>): BytePath[] {
  const all = new Set(paths);
  return [...all].filter((path) => !hasAncestorIn(all, path)).sort();
}

function compareListings(
  dir: BytePath,
  before: readonly ScanEntry[],
  after: readonly ScanEntry[],
  changed: Set<BytePath>,
): void {
  const unmatched = new Map(before.map((entry) => [entry.name, entry]));
  for (const now of after) {
    const path = joinPath(dir, now.name);
    const old = unmatched.get(now.name);
    unmatched.delete(now.name);
    if (old === undefined || !isSame(old, now)) changed.add(path);
  }
  for (const name of unmatched.keys()) changed.add(joinPath(dir, name));
}

function isSame(old: ScanEntry, now: ScanEntry): boolean {
  if (old.metadata !== now.metadata) return false;
  if (now.kind !== 'dir' || old.fingerprint === now.fingerprint) return old.fingerprint === now.fingerprint;
  const [oldInode, , oldMtime] = old.fingerprint.split(' ');
  const [inode, , mtime] = now.fingerprint.split(' ');
  return oldInode === inode && oldMtime !== mtime;
}

function hasAncestorIn(paths: ReadonlySet<BytePath>, path: BytePath): boolean {
  for (let dir = parentPath(path); dir !== ''; dir = parentPath(dir)) if (paths.has(dir)) return true;
  return false;
}
