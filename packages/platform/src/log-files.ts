import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from './errors.ts';

/** So many consecutive records make a segment. */
export const BUCKET = 256;

/** What a listing of a log's directory showed: a hint, for others go on writing and folding. */
export interface LogListing {
  /** Numbers of records with a file of their own. */
  slots: Set<number>;
  /** First numbers of segments. */
  segments: Set<number>;
}

/** How the records of one log lie in its directory: each in a slot, or a full bucket of old ones in a segment. */
export interface LogFiles {
  readonly directory: string;
  slotPath(seq: number): string;
  /** Of the segment that covers record `seq`, whether it is there or not. */
  segmentPath(seq: number): string;
  list(): Promise<LogListing>;
  /** The line in slot `seq`, without its line end. */
  readSlot(seq: number): Promise<string | undefined>;
  /** All bytes of the segment that covers record `seq`. */
  readSegment(seq: number): Promise<string | undefined>;
}

const SLOT_NAME = /^(\d{12})\.jsonl$/;
const SEGMENT_NAME = /^(state|audit)-(\d{12})-(\d{12})\.jsonl$/;

export function logFiles(directory: string, name: 'state' | 'audit'): LogFiles {
  const slotPath = (seq: number): string => join(directory, `${digits(seq)}.jsonl`);
  const segmentPath = (seq: number): string => {
    const first = firstOfBucket(seq);
    return join(directory, `${name}-${digits(first)}-${digits(first + BUCKET - 1)}.jsonl`);
  };
  return {
    directory,
    slotPath,
    segmentPath,
    list: async () => {
      const slots = new Set<number>();
      const segments = new Set<number>();
      for (const file of await readdir(directory)) {
        const slot = SLOT_NAME.exec(file);
        if (slot !== null) slots.add(Number(slot[1]));
        const [, log, first, last] = SEGMENT_NAME.exec(file) ?? [];
        if (log === name && isBucket(Number(first), Number(last))) segments.add(Number(first));
      }
      return { slots, segments };
    },
    readSlot: async (seq) => (await readIfThere(slotPath(seq)))?.replace(/\n$/, ''),
    readSegment: async (seq) => readIfThere(segmentPath(seq)),
  };
}

export function firstOfBucket(seq: number): number {
  return seq - ((seq - 1) % BUCKET);
}

/** The lines of a segment; of a damaged one those that are there. */
export function linesOf(segment: string): string[] {
  const lines = segment.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** The end of the gapless run from record 1 in a listing; 0 where there is none. */
export function endOfRun({ slots, segments }: LogListing): number {
  let seq = 0;
  for (;;) {
    if (segments.has(seq + 1)) seq += BUCKET;
    else if (slots.has(seq + 1)) seq += 1;
    else return seq;
  }
}

function isBucket(first: number, last: number): boolean {
  return first > 0 && first === firstOfBucket(first) && last === first + BUCKET - 1;
}

function digits(seq: number): string {
  return String(seq).padStart(12, '0');
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
