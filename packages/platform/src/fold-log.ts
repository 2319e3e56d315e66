import { stat } from 'node:fs/promises';
import { canonicalJson } from './canonical-json.ts';
import type { Clock } from './clock.ts';
import { syncDirectory, unlinkIfThere, writeOnce } from './durable-fs.ts';
import { hasCode } from './errors.ts';
import { failpoint } from './failpoint.ts';
import { BUCKET, linesOf, type LogFiles } from './log-files.ts';
import { checkLink, parseRecord, type LogRecord } from './log-record.ts';

/** A bucket is folded only once the log has gone this much further. */
const FOLD_DISTANCE = 64;
const FOLD_AGE_MS = 24 * 3600 * 1000;

/** What folding needs of the log that it folds. */
export interface FoldableLog {
  readonly name: 'state' | 'audit';
  readonly files: LogFiles;
  readonly tempDirectory: string;
  readonly clock: Clock;
  read(seq: number): Promise<LogRecord | undefined>;
  records(from: number): AsyncIterable<LogRecord>;
}

/**
 * Packs every full bucket of old records that lies far enough behind record `end` into a segment, and removes the slots
 * that a segment holds. What fails is left for the next time. Returns how many segments it made.
 */
export async function foldLog(log: FoldableLog, end: number): Promise<number> {
  const { slots } = await log.files.list();
  let made = 0;
  for (let first = 1; first + BUCKET - 1 + FOLD_DISTANCE <= end; first += BUCKET) {
    const listed = Array.from({ length: BUCKET }, (_, index) => first + index).filter((seq) => slots.has(seq));
    if (listed.length > 0 && (await foldBucket(log, first, listed).catch(() => false))) made += 1;
  }
  return made;
}

/** `listed`: the slots of the bucket that are still there, in ascending order. Returns whether it made the segment. */
async function foldBucket(log: FoldableLog, first: number, listed: readonly number[]): Promise<boolean> {
  const { files } = log;
  const isNew = (await files.readSegment(first)) === undefined;
  if (isNew && !(await makeSegment(log, first))) return false;
  // Whoever made the segment may have died before its name was durable.
  await syncDirectory(files.directory);
  const lines = await soundLines(log, first);
  if (lines === undefined) return false;
  for (const seq of listed) {
    // A slot that differs is evidence of something, and for doctor to report.
    if ((await files.readSlot(seq)) !== lines[seq - first]) continue;
    if (await unlinkIfThere(files.slotPath(seq))) failpoint('fold:unlink');
  }
  await syncDirectory(files.directory);
  return isNew;
}

/** Returns false where the bucket is no whole chain of old records. */
async function makeSegment(log: FoldableLog, first: number): Promise<boolean> {
  if (!(await isOld(log, first))) return false;
  const lines: string[] = [];
  for await (const record of log.records(first)) {
    lines.push(`${canonicalJson(record)}\n`);
    if (lines.length === BUCKET) break;
  }
  if (lines.length < BUCKET) return false;
  failpoint('fold:checked');
  try {
    await writeOnce(log.files.segmentPath(first), lines.join(''), log.tempDirectory);
  } catch (error) {
    // Another folder's stands, and is judged as such.
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  failpoint('fold:segment');
  return true;
}

async function isOld({ files, clock }: FoldableLog, first: number): Promise<boolean> {
  for (let seq = first; seq < first + BUCKET; seq += 1) {
    if (clock.now() - (await stat(files.slotPath(seq))).mtimeMs < FOLD_AGE_MS) return false;
  }
  return true;
}

/** The lines of the segment that begins with record `first` if it is whole and its chain holds: only then may slots go. */
async function soundLines(log: FoldableLog, first: number): Promise<string[] | undefined> {
  const segment = await log.files.readSegment(first);
  if (segment === undefined || !segment.endsWith('\n')) return undefined;
  const lines = linesOf(segment);
  if (lines.length !== BUCKET) return undefined;
  let previous = first === 1 ? undefined : await log.read(first - 1);
  for (const [index, line] of lines.entries()) {
    const record = parseRecord(log.name, first + index, line);
    checkLink(log.name, previous, record);
    previous = record;
  }
  return lines;
}
