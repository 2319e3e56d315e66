import { type BytePath, joinPath } from '@jvs/platform/byte-path';
import { diffScans, entriesOf, type ScanEntry, topmostPaths, type TreeScan } from '@jvs/platform/tree';
import type { ClonedTree } from './clone-and-read.ts';
import { kindOf, permissionsOf, sizeOf, unreadMtime } from './packed-entry.ts';

/**
 * What of a copy may not be what the source holds, topmost paths only, sorted; none when the copy shows the source as it
 * stood from the scan before the clone to the one after it. Two equal scans alone do not say so: between them the clone
 * may have met what had not been there before and was gone afterwards.
 */
export function stalePaths(cloned: ClonedTree, before: TreeScan, after: TreeScan): BytePath[] {
  return topmostPaths([...diffScans(before, after), ...pathsUnlike(cloned, after)]);
}

/** What only the copy or only the scan has, or has as something else. */
function pathsUnlike({ entries, degradations }: ClonedTree, scan: TreeScan): BytePath[] {
  const keepsModes = !degradations.some((label) => label === 'mode' || label === 'acl' || label === 'owner');
  const unlike: BytePath[] = [];
  const copies = byDirectory(entries);
  for (const dir of scan.dirs.keys()) {
    const names = copies.get(dir) ?? new Map<BytePath, string>();
    for (const entry of entriesOf(scan, dir)) {
      if (entry.kind === 'special') continue;
      const copy = names.get(entry.name);
      if (copy === undefined || !isAlike(copy, entry, keepsModes)) unlike.push(joinPath(dir, entry.name));
      names.delete(entry.name);
    }
    if (names.size === 0) copies.delete(dir);
  }
  for (const [dir, names] of copies) for (const name of names.keys()) unlike.push(joinPath(dir, name));
  return unlike;
}

/** Entries by name, in many small maps: one of all paths takes three times as long to fill and to ask. */
function byDirectory(entries: readonly string[]): Map<BytePath, Map<BytePath, string>> {
  const directories = new Map<BytePath, Map<BytePath, string>>();
  let last: { prefix: string; names: Map<BytePath, string> } | undefined;
  for (const entry of entries) {
    const end = entry.indexOf('\0');
    const start = entry.lastIndexOf('/', end) + 1;
    // Most follow one of the same directory.
    if (last?.prefix.length !== start || !entry.startsWith(last.prefix)) {
      const prefix = entry.slice(0, start);
      const dir = prefix.slice(0, -1);
      const names = directories.get(dir) ?? new Map<BytePath, string>();
      directories.set(dir, names);
      last = { prefix, names };
    }
    last.names.set(entry.slice(start, end), entry);
  }
  return directories;
}

/** A file's own mode moves its ctime, so `diffScans` sees it; a directory's ctime moves with its entries, too. */
function isAlike(copy: string, { kind, sizeBytes, fingerprint, metadata }: ScanEntry, keepsModes: boolean): boolean {
  if (kindOf(copy) !== kind) return false;
  if (kind === 'file') return sizeOf(copy) === sizeBytes && hasTimeOf(copy, fingerprint);
  return kind !== 'dir' || !keepsModes || permissionsOf(copy) === (Number.parseInt(metadata, 10) & 0o777);
}

/** What was not read counts by its time alone, which engines keep to the nanosecond: another file is told by that. */
function hasTimeOf(copy: string, fingerprint: string): boolean {
  const mtimeNs = unreadMtime(copy);
  return mtimeNs === undefined || mtimeNs === fingerprint.split(' ', 3)[2];
}
