import { randomInt, randomUUID } from 'node:crypto';
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalDigest, canonicalJson, type JsonObject } from './canonical-json.ts';
import { systemClock, type Clock } from './clock.ts';
import { syncDirectory, unlinkIfThere, writeNew } from './durable-fs.ts';
import { hasCode } from './errors.ts';
import { failpoint } from './failpoint.ts';
import { foldLog } from './fold-log.ts';
import { endOfRun, firstOfBucket, linesOf, logFiles, type LogListing } from './log-files.ts';
import { checkLink, LogBrokenError, parseRecord, type LogRecord } from './log-record.ts';

export { LogBrokenError, type LogRecord };

/** Makes the next record's own fields from the newest record (undefined: none yet), or throws to refuse. */
export type BuildRecord = (previous: LogRecord | undefined) => JsonObject | Promise<JsonObject>;

/** Numbers of slots that nobody reads. */
export interface LogGarbage {
  beyondGap: number[];
  /** Slots that differ from what their segment holds. */
  shadowed: number[];
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
  /** All records from the newest back to the first, for whoever stops at what he looks for. @throws LogBrokenError */
  recordsBackwards(): AsyncGenerator<LogRecord>;
  /**
   * Appends behind whatever is newest, trying again when another writer was faster. Returns when it is durable.
   * @throws LogBrokenError, and whatever `build` throws to refuse
   */
  append(build: BuildRecord): Promise<LogRecord>;
  /** Appends as record `seq` or not at all: a compare-and-swap. @throws LogBrokenError, and what `build` throws */
  appendAt(seq: number, build: BuildRecord): Promise<LogRecord | 'lost'>;
  /** Where record `seq` lies as a file of its own. */
  slotPath(seq: number): string;
  garbage(): Promise<LogGarbage>;
  /** The number that is missing below records that are there; undefined in a log that is whole. Reads no records. */
  gap(): Promise<number | undefined>;
  /**
   * Packs full buckets of old records into segments; what fails is left for the next time. Returns segments made.
   * @throws LogBrokenError when the newest record cannot be right
   */
  fold(): Promise<number>;
}

const MAX_RECORD_BYTES = 64 * 1024;

export function openLog(
  directory: string,
  name: 'state' | 'audit',
  { tempDirectory, clock = systemClock }: { tempDirectory: string; clock?: Clock },
): ExclusiveLog {
  const files = logFiles(directory, name);
  const step = (label: string): void => {
    failpoint(`append:${label}`);
    failpoint(`append-${name}:${label}`);
  };

  /** Slot first, segment second, the segment wins: a reader must not meet a fold in between and then a late writer. */
  async function readLine(seq: number): Promise<string | undefined> {
    const slot = await files.readSlot(seq);
    const segment = await files.readSegment(seq);
    return (segment === undefined ? undefined : linesOf(segment)[seq - firstOfBucket(seq)]) ?? slot;
  }

  async function read(seq: number): Promise<LogRecord | undefined> {
    const line = await readLine(seq);
    return line === undefined ? undefined : parseRecord(name, seq, line);
  }

  async function tipOnce(): Promise<LogRecord | undefined> {
    // A listing may be stale, so it is only a hint: names are looked up behind its end.
    let seq = endOfRun(await files.list());
    let record = seq === 0 ? undefined : await read(seq);
    for (let next = await read(seq + 1); next !== undefined; next = await read(seq + 1)) {
      seq += 1;
      record = next;
    }
    if (record === undefined) {
      if (seq > 0) throw new LogBrokenError(name, seq, 'vanished');
      return undefined;
    }
    checkLink(name, seq === 1 ? undefined : await read(seq - 1), record);
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
    const slot = files.slotPath(seq);
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
    const isOurs = async (): Promise<boolean> => `${await files.readSlot(seq)}\n` === line;
    // A server may answer EEXIST to the retransmission of a link that it had made.
    if (failure !== undefined && !(await isOurs())) {
      if (hasCode(failure, 'EEXIST')) return 'lost';
      throw failure;
    }
    const segment = await files.readSegment(seq);
    const isFolded = segment !== undefined && `${linesOf(segment)[seq - firstOfBucket(seq)]}\n` !== line;
    const previous = seq === 1 ? undefined : await read(seq - 1);
    if (isFolded || record.prev_hash !== (previous?.record_hash ?? '')) {
      if (await isOurs()) await unlinkIfThere(slot);
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
      if (bucket?.first !== first) bucket = { first, lines: linesOf((await files.readSegment(seq)) ?? '') };
      // A fold since then moved slots into the segment, so a missing slot is looked up once more by readLine.
      const line = bucket.lines[seq - first] ?? (await readLine(seq));
      if (line === undefined) return;
      const record = parseRecord(name, seq, line);
      checkLink(name, previous, record);
      yield record;
      previous = record;
    }
  }

  async function* recordsBackwards(): AsyncGenerator<LogRecord> {
    const newest = await tip();
    if (newest === undefined) return;
    yield newest;
    let bucket: { first: number; lines: string[] } | undefined;
    for (let seq = newest.seq - 1; seq > 0; seq -= 1) {
      const first = firstOfBucket(seq);
      if (bucket?.first !== first) bucket = { first, lines: linesOf((await files.readSegment(seq)) ?? '') };
      const line = bucket.lines[seq - first] ?? (await readLine(seq));
      if (line === undefined) throw new LogBrokenError(name, seq, 'is missing');
      yield parseRecord(name, seq, line);
    }
  }

  /** A rejected writer's slot may stand for a moment here too. */
  async function garbage(): Promise<LogGarbage> {
    const first = await garbageOnce();
    if (first.beyondGap.length + first.shadowed.length === 0) return first;
    await clock.sleep(100);
    const { beyondGap, shadowed } = await garbageOnce();
    return {
      beyondGap: first.beyondGap.filter((seq) => beyondGap.includes(seq)),
      shadowed: first.shadowed.filter((seq) => shadowed.includes(seq)),
    };
  }

  async function garbageOnce(): Promise<LogGarbage> {
    const names = await files.list();
    const end = await endBehind(names);
    const beyondGap: number[] = [];
    const shadowed: number[] = [];
    let bucket: { first: number; lines: string[] } | undefined;
    for (const seq of [...names.slots].sort((a, b) => a - b)) {
      const slot = await files.readSlot(seq);
      if (slot === undefined) continue;
      if (seq > end) beyondGap.push(seq);
      const first = firstOfBucket(seq);
      if (bucket?.first !== first) bucket = { first, lines: linesOf((await files.readSegment(seq)) ?? '') };
      const line = bucket.lines[seq - first];
      if (line !== undefined && line !== slot) shadowed.push(seq);
    }
    return { beyondGap, shadowed };
  }

  /** Others may have appended and folded behind the listing's back: records are looked up by name before they are missed. */
  async function endBehind(names: LogListing): Promise<number> {
    let end = endOfRun(names);
    while (names.slots.has(end + 1) || (await readLine(end + 1)) !== undefined) end += 1;
    return end;
  }

  /** A rejected writer's slot may stand for a moment here too. */
  async function gap(): Promise<number | undefined> {
    if ((await gapOnce()) === undefined) return undefined;
    await clock.sleep(100);
    return await gapOnce();
  }

  async function gapOnce(): Promise<number | undefined> {
    const names = await files.list();
    const end = await endBehind(names);
    const isAlone = [...names.slots, ...names.segments].every((seq) => seq <= end);
    return isAlone ? undefined : end + 1;
  }

  async function fold(): Promise<number> {
    const end = (await tip())?.seq ?? 0;
    return await foldLog({ name, files, tempDirectory, clock, read, records }, end);
  }

  return {
    directory,
    tip,
    read,
    records,
    recordsBackwards,
    append,
    appendAt,
    slotPath: (seq) => files.slotPath(seq),
    garbage,
    gap,
    fold,
  };
}
