import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { unescapePath, type BytePath } from '@jvs/platform/byte-path';
import { hasCode } from '@jvs/platform/errors';
import type { Repository } from '../repository.ts';
import type { Descriptor } from './descriptor.ts';
import { PayloadMismatchError, readManifestEntries } from './manifest.ts';

const BLOCK_BYTES = 256 * 1024;
const HASH_LENGTH = 64;

/** The manifest of a snapshot cannot be had, and only its payload could give it again. */
export class ManifestLostError extends PayloadMismatchError {
  constructor(id: string) {
    super(`The manifest of snapshot ${id} is lost`, {
      hint: 'Run "jvs doctor --repair-runtime": it makes the manifest anew from the payload.',
      details: { snapshot_id: id },
    });
  }
}

/** The entries of a manifest in order, in a form that is cheap to compare for equality. */
export interface EntrySource {
  readonly items: Iterable<string>;
  /** `<path>\0<facts>`, as in {@link ManifestEntries}. */
  entryOf(item: string): string;
}

/**
 * The entries of a snapshot's manifest in order, read as they are asked for, so that two of any size can be compared in
 * little memory. The hash is checked at the end: who stops earlier has checked nothing. Reads synchronously, since a
 * promise for each of a hundred thousand lines would take longer than the comparison.
 * @throws ManifestLostError; PayloadMismatchError, after the last entry, when it does not hash to what was published
 */
export async function streamManifest(
  r: Repository,
  { snapshot_id: id, payload_root_hash: root }: Descriptor,
): Promise<EntrySource> {
  const path = r.layout.manifest(id);
  if (isStoredWhole(path)) return wholeManifest(id, path, root.value);
  const entries = await readManifestEntries(r, id, root.value);
  if (entries === undefined) throw new ManifestLostError(id);
  return { items: entries, entryOf: (entry) => entry };
}

function isStoredWhole(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
  try {
    const start = Buffer.alloc(5);
    return readSync(file, start, 0, start.length, 0) < start.length || start.toString('latin1') !== 'base ';
  } finally {
    closeSync(file);
  }
}

function wholeManifest(id: string, path: string, expectedHash: string): EntrySource {
  const damaged = (): PayloadMismatchError =>
    new PayloadMismatchError(`The manifest of snapshot ${id} does not hash to its payload_root_hash`, {
      hint: 'Run "jvs verify" to see whether the payload itself is whole.',
      details: { snapshot_id: id, path },
    });
  function* lines(): Generator<string> {
    const digest = createHash('sha256');
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    const file = openSync(path, 'r');
    try {
      let rest = '';
      for (let length = readSync(file, block); length > 0; length = readSync(file, block)) {
        digest.update(block.subarray(0, length));
        const complete = (rest + block.toString('latin1', 0, length)).split('\n');
        rest = complete.pop() ?? '';
        yield* complete;
      }
      if (rest !== '' || digest.digest('hex') !== expectedHash) throw damaged();
    } finally {
      closeSync(file);
    }
  }
  const entryOf = (line: string): string => {
    const entry = parseLine(line);
    if (entry === undefined) throw damaged();
    return entry;
  };
  return { items: lines(), entryOf };
}

/** Takes the facts of a line as they are, since the hash of all lines vouches for them. */
function parseLine(line: string): string | undefined {
  const end = endOfFacts(line);
  if (end < 0) return undefined;
  const path: BytePath | undefined = unescapePath(line.slice(end + 1));
  return path === undefined || path === '' ? undefined : `${path}\0${line.slice(0, end)}`;
}

/** Where the blank before the path stands: every field but a file's size has a fixed length. */
function endOfFacts(line: string): number {
  let end = -1;
  if (line.startsWith('file ')) end = line.indexOf(' ', 'file 0644 '.length) + 1 + HASH_LENGTH;
  else if (line.startsWith('dir ')) end = 'dir 0755 - -'.length;
  else if (line.startsWith('symlink ')) end = 'symlink - - '.length + HASH_LENGTH;
  return line[end] === ' ' ? end : -1;
}
