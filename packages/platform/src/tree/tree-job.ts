import type { BytePath } from '../byte-path.ts';

/** What a tree holds. Sizes are those of regular files. */
export interface TreeTotals {
  files: number;
  dirs: number;
  symlinks: number;
  /** Sockets, FIFOs and devices. */
  specials: number;
  bytes: number;
}

/** Fingerprints the entries of directories. */
export interface ScanJob {
  kind: 'scan';
  root: string;
  dirs: BytePath[];
  /** `st_dev` of the root: entries on another device are mounts and are not entered. */
  device: string;
  skip: BytePath[];
}

export interface ScanJobResult {
  /** A directory's path and its packed entries, in turn. */
  listings: string[];
  /** Directories found and not yet scanned. */
  rest: BytePath[];
  totals: TreeTotals;
  specials: BytePath[];
  /** `<ino>\0<path>` of each file with more than one name. */
  linked: string[];
  mounts: BytePath[];
  owners: OwnerCount[];
}

/** Stands, before its mtime in ns, for the hash of a file that was not read. */
export const NOT_READ = '?';

/** Reads and hashes entries: whole subtrees, or when not `deep` the named entries alone. */
export interface ReadJob {
  kind: 'read';
  root: string;
  paths: BytePath[];
  deep: boolean;
  skip: BytePath[];
  /** Files whose contents are read; null: all. */
  only: BytePath[] | null;
}

export interface ReadJobResult {
  /** Packed manifest entries in no particular order. */
  entries: string[];
  /** Paths found and not yet read. */
  rest: BytePath[];
  totals: TreeTotals;
  specials: BytePath[];
  owners: OwnerCount[];
}

/** How many entries belong to one owner, and the path of one of them. */
export interface OwnerCount {
  uid: number;
  gid: number;
  count: number;
  example: BytePath;
}

export type TreeJob = ScanJob | ReadJob;
export type TreeJobResult<J extends TreeJob> = J extends ScanJob ? ScanJobResult : ReadJobResult;

/** A job's end as a worker reports it. Errors cross the thread as facts: their class would be lost anyway. */
export type TreeReply =
  | { result: ScanJobResult | ReadJobResult }
  | { failure: { code: string; syscall: string; path: string } }
  | { crash: string };

export function emptyTotals(): TreeTotals {
  return { files: 0, dirs: 0, symlinks: 0, specials: 0, bytes: 0 };
}

export function addTotals(sum: TreeTotals, more: TreeTotals): void {
  sum.files += more.files;
  sum.dirs += more.dirs;
  sum.symlinks += more.symlinks;
  sum.specials += more.specials;
  sum.bytes += more.bytes;
}
