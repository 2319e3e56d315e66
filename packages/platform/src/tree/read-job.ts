import { Buffer } from 'node:buffer';
import { createHash, hash } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { type BytePath, joinPath } from '../byte-path.ts';
import { hasCode } from '../errors.ts';
import { atPath } from './at-path.ts';
import { OwnerTally } from './owner-tally.ts';
import { emptyTotals, NOT_READ, type ReadJob, type ReadJobResult } from './tree-job.ts';

/** A job hands back what is left after this many entries or bytes, so that idle threads get their share. */
const ENTRIES_A_JOB = 1000;
const BYTES_A_JOB = 16 * 1024 * 1024;

const BLOCK_BYTES = 1024 * 1024;
// Neither follows a symlink nor waits for the other end of a FIFO, should the entry have changed since `lstat`.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
// The first read of a fresh copy would otherwise write its inode again.
const O_NOATIME = constants.O_NOATIME ?? 0;

const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);

/** Reads entries and those below them until the job is long enough. What is absent is skipped, specials are never opened. */
export function runReadJob({ root, paths, deep, skip, only }: ReadJob): ReadJobResult {
  const rest = paths.toReversed();
  const skipped = new Set(skip);
  const wanted = only === null ? undefined : new Set(only);
  const owners = new OwnerTally();
  const result: ReadJobResult = { entries: [], rest, totals: emptyTotals(), specials: [], owners: [] };
  let seen = 0;
  let readBytes = 0;
  while (seen < ENTRIES_A_JOB && readBytes < BYTES_A_JOB) {
    const path = rest.pop();
    if (path === undefined) break;
    if (skipped.has(path)) continue;
    seen += 1;
    const stats = atPath(root, path, (target) => lstatSync(target));
    if (stats === undefined) continue;
    const isRead = wanted === undefined || wanted.has(path);
    if (isRead && stats.isFile()) readBytes += stats.size;
    if (path !== '' && readEntry(root, path, stats, isRead, result)) owners.add(stats.uid, stats.gid, path);
    if (!deep || !stats.isDirectory()) continue;
    const names = atPath(root, path, (target) => readdirSync(target, 'latin1')) ?? [];
    for (let index = names.length - 1; index >= 0; index -= 1) rest.push(joinPath(path, names[index] ?? ''));
  }
  result.owners = owners.list();
  return result;
}

/** Whether there was something to record. */
function readEntry(
  root: string,
  path: BytePath,
  stats: Stats,
  isRead: boolean,
  { entries, totals, specials }: ReadJobResult,
): boolean {
  if (stats.isFile()) {
    const content = isRead ? readFile(root, path, stats.size) : unread(root, path);
    if (content === undefined) return false;
    entries.push(`${path}\0file ${modeOf(stats)} ${content.sizeBytes} ${content.sha256}`);
    totals.files += 1;
    totals.bytes += content.sizeBytes;
  } else if (stats.isDirectory()) {
    entries.push(`${path}\0dir ${modeOf(stats)} - -`);
    totals.dirs += 1;
  } else if (stats.isSymbolicLink()) {
    const target = atPath(root, path, (link) => readlinkSync(link, 'buffer'));
    if (target === undefined) return false;
    entries.push(`${path}\0symlink - - ${hash('sha256', target)}`);
    totals.symlinks += 1;
  } else {
    specials.push(path);
    totals.specials += 1;
  }
  return true;
}

function modeOf(stats: Stats): string {
  return (stats.mode & 0o7777).toString(8).padStart(4, '0');
}

interface Content {
  sizeBytes: number;
  sha256: string;
}

/** In the place of the hash the mark, and the time of the last change of the contents, ns. */
function unread(root: string, path: BytePath): Content | undefined {
  const stats = atPath(root, path, (target) => lstatSync(target, { bigint: true }));
  return stats?.isFile() === true
    ? { sizeBytes: Number(stats.size), sha256: `${NOT_READ}${stats.mtimeNs}` }
    : undefined;
}

/** The size is the number of bytes hashed, whatever `lstat` said. */
function readFile(root: string, path: BytePath, expectedBytes: number): Content | undefined {
  const handle = atPath(root, path, openForReading);
  if (handle === undefined) return undefined;
  try {
    const first = atPath(root, path, () => readSync(handle, block, 0, BLOCK_BYTES, null)) ?? 0;
    // A file that ends where `lstat` said needs no second call to see the end.
    if (first === expectedBytes && first < BLOCK_BYTES) {
      return { sizeBytes: first, sha256: hash('sha256', block.subarray(0, first)) };
    }
    const digest = createHash('sha256');
    let sizeBytes = 0;
    for (let length = first; length > 0;) {
      digest.update(block.subarray(0, length));
      sizeBytes += length;
      length = atPath(root, path, () => readSync(handle, block, 0, BLOCK_BYTES, null)) ?? 0;
    }
    return { sizeBytes, sha256: digest.digest('hex') };
  } finally {
    closeSync(handle);
  }
}

function openForReading(target: string | Buffer): number {
  try {
    return openSync(target, OPEN_FLAGS | O_NOATIME);
  } catch (error) {
    // O_NOATIME is for the owner alone.
    if (!hasCode(error, 'EPERM')) throw error;
    return openSync(target, OPEN_FLAGS);
  }
}
