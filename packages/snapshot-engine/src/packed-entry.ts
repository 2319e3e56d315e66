import type { BytePath } from '@jvs/platform/byte-path';
import { NOT_READ, type EntryKind } from '@jvs/platform/tree';

/** The parts of an entry as `readTree` gives them: `<path>\0<kind> <mode> <size> <sha256>`. */
export function pathOf(entry: string): BytePath {
  return entry.slice(0, entry.indexOf('\0'));
}

export function kindOf(entry: string): EntryKind {
  // Told apart by one letter: this runs for each of many entries.
  const letter = entry[entry.indexOf('\0') + 1];
  return letter === 'd' ? 'dir' : letter === 's' ? 'symlink' : 'file';
}

/** Of a file. */
export function sizeOf(entry: string): number {
  const start = sizeStart(entry);
  return Number(entry.slice(start, entry.indexOf(' ', start)));
}

/** Of a file. A mode always has four digits. */
function sizeStart(entry: string): number {
  return entry.indexOf('\0') + '\0file 0644 '.length;
}

/** Of a file that was not read, ns; undefined of one that was. */
export function unreadMtime(entry: string): string | undefined {
  const hash = entry.indexOf(' ', sizeStart(entry)) + 1;
  return entry.startsWith(NOT_READ, hash) ? entry.slice(hash + NOT_READ.length) : undefined;
}

/** Without setuid, setgid and sticky, which filesystems may drop in silence. */
export function permissionsOf(entry: string): number {
  const [, mode] = entry.slice(entry.indexOf('\0') + 1).split(' ', 2);
  return Number.parseInt(mode ?? '', 8) & 0o777;
}
