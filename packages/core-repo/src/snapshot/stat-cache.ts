import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { joinPath, type BytePath } from '@jvs/platform/byte-path';
import { sha256 } from '@jvs/platform/digest';
import { syncTree, unlinkIfThere, writeNew } from '@jvs/platform/durable-fs';
import { filesystemKind, readBootId } from '@jvs/platform/filesystem';
import { entriesOf, type ScanEntry, type TreeScan } from '@jvs/platform/tree';
import { filesystemNowIfKnown } from '@jvs/lock-lease';
import type { Repository } from '../repository.ts';
import type { Worktree } from '../worktree/worktree.ts';

/**
 * The fingerprints under which a snapshot met the files of its worktree: a file that still has its own is the one in the
 * snapshot, byte for byte, and its hash stands in the snapshot's manifest. Format and rules: docs/specs/jvs.md, "Stat
 * cache". What is in it can be made again by reading everything, so any doubt means that there is none.
 */
export interface StatCache {
  /** The snapshot. */
  id: string;
  /** As in a scan; files that could have been written to unnoticed are missing. */
  dirs: TreeScan['dirs'];
}

/** Where a change of a mapped page, made after the page was written out, surely changes the times of its file. */
const TRUSTED = new Set(['ext4', 'xfs', 'btrfs']);
/** Two changes so close to one another may have the same time. */
const GRANULARITY_MS = 10;

/**
 * Prepares the coming scan to be relied upon later: all that was stored through memory maps is written out, so that the
 * next store moves the file's times. Returns the filesystem's time before that, ms; undefined where nothing of it helps.
 */
export async function beginObserving(w: Worktree, signal?: AbortSignal): Promise<number | undefined> {
  if (!TRUSTED.has((await filesystemKind(w.path)).name)) return undefined;
  const nowMs = await filesystemNowIfKnown({ probePath: w.repository.layout.probe });
  if (nowMs !== undefined) await syncTree(w.path, signal);
  return nowMs;
}

/** Files of the scan whose contents are not known from the snapshot in the cache, sorted. */
export function unknownFiles(cache: StatCache, scan: TreeScan): BytePath[] {
  const unknown: BytePath[] = [];
  for (const [dir, listing] of scan.dirs) {
    const cached = cache.dirs.get(dir);
    if (cached === listing) continue;
    const known = new Map(entriesOf(cache, dir).map((entry) => [entry.name, entry]));
    for (const entry of entriesOf(scan, dir)) {
      if (entry.kind !== 'file') continue;
      const old = known.get(entry.name);
      if (old?.fingerprint !== entry.fingerprint) unknown.push(joinPath(dir, entry.name));
    }
  }
  return unknown.sort();
}

/** The digest is of all that follows it. */
const HEADER = /^jvs stat cache 1 ([0-9a-f]{64})\n/;
const OF_SNAPSHOT = /^(\d{13}-[0-9a-f]{8}) (\S+)\n/;
/** Neither is in a path or a packed entry. */
const BEHIND_DIRECTORY = '\0\0';
const BETWEEN_DIRECTORIES = '//';
/** Stands for the root, which has no name. */
const ROOT = '.';

/** Undefined when there is none, when it is not what was written, or when the system was started since. */
export async function readStatCache(r: Repository, worktreeId: string): Promise<StatCache | undefined> {
  // A power cut may have kept contents and lost times that were not yet on the disk.
  const bootId = await readBootId();
  const bytes = await readFile(cachePath(r, worktreeId)).catch(() => undefined);
  const [header, digest] = HEADER.exec(bytes?.toString('latin1', 0, 128) ?? '') ?? [];
  if (bytes === undefined || header === undefined || sha256(bytes.subarray(header.length)) !== digest) return undefined;
  const body = bytes.toString('latin1', header.length);
  const [line, id, boot] = OF_SNAPSHOT.exec(body) ?? [];
  if (line === undefined || id === undefined || boot !== bootId) return undefined;
  const dirs = new Map<BytePath, string>();
  for (const block of body.slice(line.length).split(BETWEEN_DIRECTORIES)) {
    const end = block.indexOf(BEHIND_DIRECTORY);
    const dir = block.slice(0, end);
    dirs.set(dir === ROOT ? '' : dir, block.slice(end + BEHIND_DIRECTORY.length));
  }
  return { id, dirs };
}

/**
 * Keeps what the scan saw, whose snapshot this is. A file whose times are not older than `beforeMs`, the filesystem's time
 * before {@link beginObserving}, could change again without a new time, and is left out.
 */
export async function writeStatCache(
  r: Repository,
  worktreeId: string,
  { id, scan, beforeMs }: { id: string; scan: TreeScan; beforeMs: number },
): Promise<void> {
  const quietNs = String(BigInt(beforeMs - GRANULARITY_MS) * 1_000_000n);
  const blocks: string[] = [];
  for (const [dir, listing] of scan.dirs) {
    const entries = entriesOf(scan, dir);
    const isQuiet = entries.map((entry) => isOlder(entry, quietNs));
    const kept = isQuiet.every(Boolean)
      ? listing
      : listing
          .split('/')
          .filter((_, index) => isQuiet[index] === true)
          .join('/');
    blocks.push(`${dir === '' ? ROOT : dir}${BEHIND_DIRECTORY}${kept}`);
  }
  const body = Buffer.from(`${id} ${await readBootId()}\n${blocks.sort().join(BETWEEN_DIRECTORIES)}`, 'latin1');
  const path = cachePath(r, worktreeId);
  await mkdir(dirname(path), { recursive: true });
  const temp = join(r.layout.tmp, randomUUID());
  try {
    // Not made durable: of one that a crash left torn the checksum tells.
    await writeNew(temp, Buffer.concat([Buffer.from(`jvs stat cache 1 ${sha256(body)}\n`), body]), false);
    await rename(temp, path);
  } catch (error) {
    await unlinkIfThere(temp);
    throw error;
  }
}

/** Of a worktree that is gone. One that cannot be removed only takes room, and doctor tells of it. */
export async function removeStatCache(r: Repository, worktreeId: string): Promise<void> {
  await unlinkIfThere(cachePath(r, worktreeId)).catch((failure: unknown) =>
    r.log.warn({ worktreeId, failure }, 'the stat cache stays'),
  );
}

function isOlder({ kind, fingerprint }: ScanEntry, ns: string): boolean {
  if (kind !== 'file') return true;
  const size = fingerprint.indexOf(' ') + 1;
  const mtime = fingerprint.indexOf(' ', size) + 1;
  const ctime = fingerprint.indexOf(' ', mtime) + 1;
  return (
    isLess(fingerprint.slice(mtime, ctime - 1), ns) &&
    isLess(fingerprint.slice(ctime, fingerprint.indexOf(' ', ctime)), ns)
  );
}

/** Of whole numbers in decimal: those of one length are ordered like texts, which is all but always so. */
function isLess(one: string, other: string): boolean {
  return one.length === other.length && !one.startsWith('-') ? one < other : BigInt(one) < BigInt(other);
}

function cachePath(r: Repository, worktreeId: string): string {
  return join(r.layout.cache, `${worktreeId}.stat`);
}
