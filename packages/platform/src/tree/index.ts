export { diffScans, topmostPaths } from './diff-scans.ts';
export type { EntryKind, ScanEntry } from './packed-listing.ts';
export { type ReadOptions, readTree, type TreeReading } from './read-tree.ts';
export { allEntries, entriesOf, type ScanOptions, scanTree, type TreeScan } from './scan-tree.ts';
export { NOT_READ, type OwnerCount, type TreeTotals } from './tree-job.ts';
export { openTreePool, type TreePool, withTreePool } from './worker-pool.ts';
