import { randomInt, randomUUID } from 'node:crypto';
import { link, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalDigest, canonicalJson, type JsonObject } from './canonical-json.ts';
import { systemClock, type Clock } from './clock.ts';
import { isThere, syncDirectory, unlinkIfThere, writeNew, writeOnce } from './durable-fs.ts';
import { CodedError, hasCode } from './errors.ts';
import { failpoint } from './failpoint.ts';

/** A record of an exclusive log: numbered, chained to its predecessor, hashed. Format: docs/specs/jvs.md. */
export interface LogRecord extends JsonObject {
  readonly seq: number;
  /** `record_hash` of record seq − 1; `''` in record 1. */
  readonly prev_hash: string;
  /** SHA-256 of the canonical bytes of the record without this key. */
  readonly record_hash: string;
}

/** Makes the next record's own fields from the newest record (undefined: none yet), or throws to refuse. */
export type BuildRecord = (previous: LogRecord | undefined) => JsonObject | Promise<JsonObject>;

/** A record that cannot be right: unreadable, misnumbered, wrongly hashed, or not linked to its predecessor. */
export class LogBrokenError extends CodedError {
  readonly code = 'E_AUDIT_CHAIN_BROKEN';
  constructor(log: string, seq: number, why: string) {
    super(`Record ${seq} of the ${log} log ${why}`, {
      hint: 'Run "jvs doctor --strict" to see the extent of the damage.',
      details: { log, seq },
    });
  }
}

/**
 * A directory of numbered immutable records, each of which has exactly one writer among any number of processes and
 * hosts: record n+1 is made by link(2), which never overwrites, so the filesystem picks the winner. Whoever computed
 * its record from an older state loses, however long it slept. Needs hard links and a `tempDirectory` on the same
 * filesystem. The directory must exist.
 */
export interface ExclusiveLog {
  readonly directory: string;
  /** The newest record; undefined in an empty log. @throws LogBrokenError */
  tip(): Promise<LogRecord | undefined>;
  /** @throws LogBrokenError when the record is there but cannot be right */
  read(seq: number): Promise<LogRecord | undefined>;
  /** All records from `from` (1 unless told) on, each checked against its predecessor. @throws LogBrokenError */
  records(from?: number): AsyncGenerator<LogRecord>;
  /** Appends behind whatever is newest, trying again when another writer was faster. Returns when it is durable. */
  append(build: BuildRecord): Promise<LogRecord>;
  /** Appends as record `seq` or not at all: a compare-and-swap. */
  appendAt(seq: number, build: BuildRecord): Promise<LogRecord | 'lost'>;
  /** Where record `seq` lies as a file of its own. */
  slotPath(seq: number): string;
  /** Numbers of slots that nobody reads: beyond a gap, or differing from their segment. */
  garbage(): Promise<{ beyondGap: number[]; shadowed: number[] }>;
  /** Packs full buckets of old records into segments. Failures leave work for the next time. Returns segments made. */
  fold(): Promise<number>;
}

const BUCKET = 256;
/** A bucket is folded only once the log has gone this much further. */
const FOLD_DISTANCE = 64;
const FOLD_AGE_MS = 24 * 3600 * 1000;
const MAX_RECORD_BYTES = 64 * 1024;
const SLOT_NAME = /^(\d{12})\.jsonl$/;

export function openLog(
  directory: string,
  name: 'state' | 'audit',
  { tempDirectory, clock = systemClock }: { tempDirectory: string; clock?: Clock },
): ExclusiveLog {
  const slotPath = (seq: number): string => join(directory, `${digits(seq)}.jsonl`);
  const segmentPath = (seq: number): string => {
    const first = firstOfBucket(seq);
    return join(directory, `${name}-${digits(first)}-${digits(first + BUCKET - 1)}.jsonl`);
  };
  const step = (label: string): void => {
    failpoint(`append:${label}`);
    failpoint(`append-${name}:${label}`);
  };

  async function segmentLine(seq: number): Promise<string | undefined> {
    const text = await readIfThere(segmentPath(seq));
    return text?.split('\n')[seq - firstOfBucket(seq)];
  }

  /** Slot first, segment second, the segment wins: a reader must not meet a fold in between and then a late writer. */
  async function readLine(seq: number): Promise<string | undefined> {
    const slot = await readIfThere(slotPath(seq));
    const line = await segmentLine(seq);
    return line ?? slot?.replace(/\n$/, '');
  }

  function parse(seq: number, line: string): LogRecord {
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch {
      throw new LogBrokenError(name, seq, 'is not JSON');
    }
    if (!isRecord(record)) throw new LogBrokenError(name, seq, 'lacks its number or hashes');
    if (record.seq !== seq) throw new LogBrokenError(name, seq, `says that it is record ${record.seq}`);
    if (canonicalDigest(record, 'record_hash') !== record.record_hash) {
      throw new LogBrokenError(name, seq, 'does not hash to its record_hash');
    }
    return record;
  }

  async function read(seq: number): Promise<LogRecord | undefined> {
    const line = await readLine(seq);
    return line === undefined ? undefined : parse(seq, line);
  }

  async function listing(): Promise<{ slots: Set<number>; segments: Set<number> }> {
    const slots = new Set<number>();
    const segments = new Set<number>();
    for (const file of await readdir(directory)) {
      const slot = SLOT_NAME.exec(file);
      if (slot !== null) slots.add(Number(slot[1]));
      else if (file.startsWith(`${name}-`)) segments.add(Number(file.slice(name.length + 1, name.length + 13)));
    }
    return { slots, segments };
  }

  function endOfRun({ slots, segments }: { slots: Set<number>; segments: Set<number> }): number {
    let seq = 0;
    for (;;) {
      if (segments.has(seq + 1)) seq += BUCKET;
      else if (slots.has(seq + 1)) seq += 1;
      else return seq;
    }
  }

  async function tipOnce(): Promise<LogRecord | undefined> {
    // A listing may be stale, so it is only a hint: names are looked up behind its end.
    let seq = endOfRun(await listing());
    let record = seq === 0 ? undefined : await read(seq);
    for (let next = await read(seq + 1); next !== undefined; next = await read(seq + 1)) {
      seq += 1;
      record = next;
    }
    if (record === undefined) {
      if (seq > 0) throw new LogBrokenError(name, seq, 'vanished');
      return undefined;
    }
    const previous = seq === 1 ? undefined : await read(seq - 1);
    if (record.prev_hash !== (previous?.record_hash ?? '')) {
      throw new LogBrokenError(name, seq, 'does not follow the record before it');
    }
    return record;
  }

  /** A rejected writer's slot may stand at the tip for a moment; only what stays is broken. */
  async function tip(): Promise<LogRecord | undefined> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await tipOnce();
      } catch (error) {
        if (attempt === 5 || !(error instanceof LogBrokenError)) throw error;
        await clock.sleep(20 * (attempt + 1));
      }
    }
  }

  async function place(record: LogRecord, line: string): Promise<'done' | 'lost'> {
    const { seq } = record;
    const temp = join(tempDirectory, randomUUID());
    const slot = slotPath(seq);
    let failure: Error | undefined;
    try {
      await writeNew(temp, line, true);
      step('temp');
      failure = await link(temp, slot).then(
        () => undefined,
        (error: Error) => error,
      );
      if (failure === undefined) step('link');
    } finally {
      // Gone before a failure is judged: a server that gave up on the link must find no source for it later.
      await unlinkIfThere(temp);
      step('unlink');
    }
    const isOurs = (text: string | undefined): boolean =>
      text !== undefined && text.replace(/\n$/, '') === line.slice(0, -1);
    // A server may answer EEXIST to the retransmission of a link that it had made.
    if (failure !== undefined && !isOurs(await readIfThere(slot))) {
      if (hasCode(failure, 'EEXIST')) return 'lost';
      throw failure;
    }
    const folded = await segmentLine(seq);
    const previous = seq === 1 ? undefined : await read(seq - 1);
    const follows = seq === 1 ? record.prev_hash === '' : previous?.record_hash === record.prev_hash;
    if ((folded !== undefined && !isOurs(folded)) || !follows) {
      if (isOurs(await readIfThere(slot))) await unlinkIfThere(slot);
      return 'lost';
    }
    step('checked');
    await syncDirectory(directory);
    step('synced');
    return 'done';
  }

  async function appendBehind(previous: LogRecord | undefined, build: BuildRecord): Promise<LogRecord | 'lost'> {
    const fields = await build(previous);
    const seq = (previous?.seq ?? 0) + 1;
    const body = { ...fields, seq, prev_hash: previous?.record_hash ?? '' };
    const record = { ...body, record_hash: canonicalDigest(body, 'record_hash') };
    const line = `${canonicalJson(record)}\n`;
    if (Buffer.byteLength(line) > MAX_RECORD_BYTES) throw new Error(`record of ${line.length} characters`);
    return (await place(record, line)) === 'done' ? record : 'lost';
  }

  async function append(build: BuildRecord): Promise<LogRecord> {
    for (;;) {
      const record = await appendBehind(await tip(), build);
      if (record !== 'lost') return record;
      await clock.sleep(randomInt(1, 50));
    }
  }

  async function appendAt(seq: number, build: BuildRecord): Promise<LogRecord | 'lost'> {
    const previous = await tip();
    return (previous?.seq ?? 0) === seq - 1 ? await appendBehind(previous, build) : 'lost';
  }

  async function* records(from = 1): AsyncGenerator<LogRecord> {
    let previous = from === 1 ? undefined : await read(from - 1);
    let bucket: { first: number; lines: string[] } | undefined;
    for (let seq = from; ; seq += 1) {
      const first = firstOfBucket(seq);
      if (bucket?.first !== first) {
        bucket = { first, lines: (await readIfThere(segmentPath(seq)))?.trimEnd().split('\n') ?? [] };
      }
      // A fold since then moved slots into the segment, so a missing slot is looked up once more by readLine.
      const line = bucket.lines[seq - first] ?? (await readLine(seq));
      if (line === undefined) return;
      const record = parse(seq, line);
      if (record.prev_hash !== (previous?.record_hash ?? '')) {
        throw new LogBrokenError(name, seq, 'does not follow the record before it');
      }
      yield record;
      previous = record;
    }
  }

  async function garbage(): Promise<{ beyondGap: number[]; shadowed: number[] }> {
    const names = await listing();
    const end = endOfRun(names);
    const beyondGap: number[] = [];
    const shadowed: number[] = [];
    for (const seq of names.slots) {
      if (seq > end + 1) beyondGap.push(seq);
      const line = await segmentLine(seq);
      if (line !== undefined && (await readIfThere(slotPath(seq)))?.trimEnd() !== line) shadowed.push(seq);
    }
    return { beyondGap, shadowed };
  }

  async function fold(): Promise<number> {
    const end = (await tip())?.seq ?? 0;
    let made = 0;
    for (let first = 1; first + BUCKET - 1 + FOLD_DISTANCE <= end; first += BUCKET) {
      if (await foldBucket(first).catch(() => false)) made += 1;
    }
    return made;
  }

  async function isOld(first: number, last: number): Promise<boolean> {
    for (let seq = first; seq <= last; seq += 1) {
      if (clock.now() - (await stat(slotPath(seq))).mtimeMs < FOLD_AGE_MS) return false;
    }
    return true;
  }

  async function foldBucket(first: number): Promise<boolean> {
    const last = first + BUCKET - 1;
    const made = !(await isThere(segmentPath(first)));
    if (made) {
      if (!(await isOld(first, last))) return false;
      const lines: string[] = [];
      for await (const record of records(first)) {
        lines.push(`${canonicalJson(record)}\n`);
        if (record.seq === last) break;
      }
      if (lines.length < BUCKET) return false;
      failpoint('fold:checked');
      await writeOnce(segmentPath(first), lines.join(''), tempDirectory).catch((error: unknown) => {
        if (!hasCode(error, 'EEXIST')) throw error;
      });
      failpoint('fold:segment');
    }
    for (let seq = first; seq <= last; seq += 1) {
      if (await unlinkIfThere(slotPath(seq))) failpoint('fold:unlink');
    }
    await syncDirectory(directory);
    return made;
  }

  return { directory, tip, read, records, append, appendAt, slotPath, garbage, fold };
}

function digits(seq: number): string {
  return String(seq).padStart(12, '0');
}

function firstOfBucket(seq: number): number {
  return seq - ((seq - 1) % BUCKET);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is LogRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'seq' in value &&
    Number.isSafeInteger(value.seq) &&
    'prev_hash' in value &&
    typeof value.prev_hash === 'string' &&
    'record_hash' in value &&
    typeof value.record_hash === 'string'
  );
}
