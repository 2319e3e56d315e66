import type { BytePath } from '@jvs/platform/byte-path';
import type { EntryKind } from '@jvs/platform/tree';

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
  // A mode always has four digits.
  const start = entry.indexOf('\0') + '\0file 0644 '.length;
  return Number(entry.slice(start, entry.indexOf(' ', start)));
}

/** Without setuid, setgid and sticky, which filesystems may drop in silence. */
export function permissionsOf(entry: string): number {
  const [, mode] = entry.slice(entry.indexOf('\0') + 1).split(' ', 2);
  return Number.parseInt(mode ?? '', 8) & 0o777;
}
