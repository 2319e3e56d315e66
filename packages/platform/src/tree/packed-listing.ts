import type { BigIntStats } from 'node:fs';
import type { BytePath } from '../byte-path.ts';

export type EntryKind = 'file' | 'dir' | 'symlink' | 'special';

/** One entry of a scanned directory. */
export interface ScanEntry {
  name: BytePath;
  kind: EntryKind;
  sizeBytes: number;
  /** `<ino> <size> <mtime_ns> <ctime_ns> <st_mode>`, decimal: what must be equal for a file to count as unchanged. */
  fingerprint: string;
  /** `<st_mode> <uid> <gid>`, decimal. */
  metadata: string;
}

/**
 * A scanned directory is one string of entries joined by `/`, the one byte besides NUL that no name contains:
 * `<name>\0<ino> <size> <mtime_ns> <ctime_ns> <st_mode> <uid> <gid>`. A hundred thousand objects would cost ten times
 * the memory.
 */
export function packEntry(name: BytePath, stats: BigIntStats): string {
  const { ino, size, mtimeNs, ctimeNs, mode, uid, gid } = stats;
  return `${name}\0${ino} ${size} ${mtimeNs} ${ctimeNs} ${mode} ${uid} ${gid}`;
}

export function unpackListing(listing: string): ScanEntry[] {
  return listing === '' ? [] : listing.split('/').map(unpackEntry);
}

function unpackEntry(packed: string): ScanEntry {
  // By positions rather than by splitting: this runs for every entry of a tree.
  const nameEnd = packed.indexOf('\0');
  const inodeEnd = packed.indexOf(' ', nameEnd);
  const sizeEnd = packed.indexOf(' ', inodeEnd + 1);
  const mtimeEnd = packed.indexOf(' ', sizeEnd + 1);
  const ctimeEnd = packed.indexOf(' ', mtimeEnd + 1);
  const modeEnd = packed.indexOf(' ', ctimeEnd + 1);
  return {
    name: packed.slice(0, nameEnd),
    kind: kindOf(Number(packed.slice(ctimeEnd + 1, modeEnd))),
    sizeBytes: Number(packed.slice(inodeEnd + 1, sizeEnd)),
    fingerprint: packed.slice(nameEnd + 1, modeEnd),
    metadata: packed.slice(ctimeEnd + 1),
  };
}

function kindOf(mode: number): EntryKind {
  switch (mode & 0o170000) {
    case 0o100000:
      return 'file';
    case 0o040000:
      return 'dir';
    case 0o120000:
      return 'symlink';
    default:
      return 'special';
  }
}
