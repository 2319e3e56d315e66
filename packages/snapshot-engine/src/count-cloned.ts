import { type BytePath, joinPath, parentPath } from '@jvs/platform/byte-path';
import { entriesOf, type ScanEntry, type TreeScan } from '@jvs/platform/tree';
import type { ClonedPart } from './snapshot-engine.ts';

/**
 * Turns the parts that a clone announces into running totals, for those who do not read the copy: `report` gets the same
 * object every time. Sizes are those of the scan.
 */
export function countCloned(
  scan: TreeScan,
  report: (totals: Readonly<{ files: number; bytes: number }>) => void,
): (part: ClonedPart) => void {
  const totals = { files: 0, bytes: 0 };
  let newest = { dir: '' as BytePath, entries: entriesByName(scan, '') };

  function add({ kind, sizeBytes }: ScanEntry, path: BytePath, deep: boolean): void {
    if (kind === 'dir' && deep) for (const entry of entriesOf(scan, path)) add(entry, joinPath(path, entry.name), deep);
    if (kind !== 'file') return;
    totals.files += 1;
    totals.bytes += sizeBytes;
  }

  return ({ paths, deep }) => {
    for (const path of paths) {
      const dir = parentPath(path);
      // Large directories come in several parts, one after the other.
      if (newest.dir !== dir) newest = { dir, entries: entriesByName(scan, dir) };
      const entry = newest.entries.get(path.slice(path.lastIndexOf('/') + 1));
      if (entry !== undefined) add(entry, path, deep);
    }
    report(totals);
  };
}

function entriesByName(scan: TreeScan, dir: BytePath): Map<BytePath, ScanEntry> {
  return new Map(entriesOf(scan, dir).map((entry) => [entry.name, entry]));
}
