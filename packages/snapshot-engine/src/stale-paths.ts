import type { BytePath } from '@jvs/platform/byte-path';
import { allEntries, diffScans, type ScanEntry, topmostPaths, type TreeScan } from '@jvs/platform/tree';
import type { ClonedTree } from './clone-and-read.ts';
import { kindOf, pathOf, permissionsOf, sizeOf } from './packed-entry.ts';

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
  const unlike: BytePath[] = [];
  const copied = new Map(entries.map((entry) => [pathOf(entry), entry]));
  const keepsModes = !degradations.some((label) => label === 'mode' || label === 'acl' || label === 'owner');
  let common = 0;
  for (const entry of allEntries(scan)) {
    if (entry.kind === 'special') continue;
    const copy = copied.get(entry.path);
    if (copy !== undefined) common += 1;
    if (copy === undefined || !isAlike(copy, entry, keepsModes)) unlike.push(entry.path);
  }
  if (common === copied.size) return unlike;
  const kept = new Set<BytePath>();
  for (const { path, kind } of allEntries(scan)) if (kind !== 'special') kept.add(path);
  for (const path of copied.keys()) if (!kept.has(path)) unlike.push(path);
  return unlike;
}

/** A file's own mode moves its ctime, so `diffScans` sees it; a directory's ctime moves with its entries, too. */
function isAlike(copy: string, { kind, sizeBytes, metadata }: ScanEntry, keepsModes: boolean): boolean {
  if (kindOf(copy) !== kind) return false;
  if (kind === 'file') return sizeOf(copy) === sizeBytes;
  return kind !== 'dir' || !keepsModes || permissionsOf(copy) === (Number.parseInt(metadata, 10) & 0o777);
}
