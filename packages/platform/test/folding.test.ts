import { mkdirSync, readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { FakeClock, test as base } from '@jvs/testkit';
import { afterEach, describe, expect, vi } from 'vitest';
import { openLog, type ExclusiveLog } from '../src/exclusive-log.ts';
import { armFailpoint, disarmFailpoint } from '../src/failpoint.ts';
import {
  canonicalLine,
  type HandRecord,
  nextRecord,
  segmentName,
  slotName,
  writeHandLog,
  writeSlot,
} from './fixtures/hand-written-log.ts';
import { watchFsyncs } from './fixtures/watch-fsyncs.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 1, 20, 9, 12);

/** Sleeping takes no time. */
class HastyClock extends FakeClock {
  override async sleep(): Promise<void> {}
}

const test = base.extend<{ folder: string; temp: string; log: ExclusiveLog }>({
  folder: async ({ dir }, use) => {
    mkdirSync(`${dir}/log`);
    await use(`${dir}/log`);
  },
  temp: async ({ dir }, use) => {
    mkdirSync(`${dir}/tmp`);
    await use(`${dir}/tmp`);
  },
  log: async ({ folder, temp }, use) => {
    await use(openLog(folder, 'audit', { tempDirectory: temp, clock: new HastyClock(NOW) }));
  },
});
afterEach(disarmFailpoint);
afterEach(() => vi.restoreAllMocks());

function setAge(folder: string, hours: number, from = 1, to = Infinity): void {
  const at = new Date(NOW - hours * HOUR);
  for (const name of readdirSync(folder)) {
    const seq = Number(name.slice(0, 12));
    if (seq >= from && seq <= to) utimesSync(`${folder}/${name}`, at, at);
  }
}

describe('folding', () => {
  test('packs a full bucket of old records into one segment, byte for byte', async ({ folder, temp, log }) => {
    const records = writeHandLog(folder, 320);
    setAge(folder, 25);

    expect(await log.fold()).toBe(1);

    const segment = readFileSync(`${folder}/${segmentName(1)}`, 'utf8');
    expect(segment).toBe(
      records
        .slice(0, 256)
        .map((record) => `${canonicalLine(record)}\n`)
        .join(''),
    );
    expect(readdirSync(folder).filter((name) => !name.startsWith('audit-'))).toHaveLength(64);
    expect(readdirSync(temp)).toEqual([]);
    expect(await log.tip()).toEqual(records[319]);
    expect(await log.fold()).toBe(0);
  });

  test('packs every full bucket that is far enough back', async ({ folder, log }) => {
    writeHandLog(folder, 580);
    setAge(folder, 25);

    expect(await log.fold()).toBe(2);
    expect(readdirSync(folder)).toContain(segmentName(257));
    expect(await log.tip()).toMatchObject({ seq: 580 });
  });

  test.for([
    ['the log has gone less than 64 records further', 319, 25, undefined],
    ['its records are younger than a day', 320, 23, undefined],
    ['its newest record is younger than a day', 320, 25, 256],
    ['one record in the middle is younger than a day', 320, 25, 100],
  ] as const)('leaves a bucket alone when %s', async ([, count, hours, young], { folder, log }) => {
    writeHandLog(folder, count);
    setAge(folder, hours);
    if (young !== undefined) setAge(folder, 1, young, young);

    expect(await log.fold()).toBe(0);
    expect(readdirSync(folder)).toHaveLength(count);
  });

  test('does not pack what is no chain', async ({ folder, log }) => {
    writeHandLog(folder, 320);
    const forged = readFileSync(`${folder}/${slotName(9)}`, 'utf8').replace('"n":9', '"n":0');
    writeFileSync(`${folder}/${slotName(9)}`, forged);
    setAge(folder, 25);

    expect(await log.fold()).toBe(0);
    expect(readdirSync(folder)).toHaveLength(320);
  });

  test.for(['checked', 'segment', 'unlink'])(
    'interrupted after %s is finished by the next one',
    async (step, { folder, log }) => {
      const records = writeHandLog(folder, 320);
      setAge(folder, 25);
      armFailpoint(`fold:${step}`, () => {
        throw new Error('killed here');
      });
      await log.fold();
      disarmFailpoint();
      expect(await log.tip()).toEqual(records[319]);
      expect(await log.read(128)).toEqual(records[127]);

      await log.fold();

      expect(readdirSync(folder)).toHaveLength(65);
      expect(await log.read(1)).toEqual(records[0]);
      expect(await log.garbage()).toEqual({ beyondGap: [], shadowed: [] });
    },
  );

  test('of two at once makes one segment', async ({ folder, temp, log }) => {
    const records = writeHandLog(folder, 320);
    setAge(folder, 25);
    const other = openLog(folder, 'audit', { tempDirectory: temp, clock: new FakeClock(NOW) });

    await Promise.all([log.fold(), other.fold()]);

    expect(readdirSync(folder)).toHaveLength(65);
    expect(readdirSync(temp)).toEqual([]);
    expect(await log.read(256)).toEqual(records[255]);
  });
});

function segmentText(records: readonly HandRecord[]): string {
  return records.map((record) => `${canonicalLine(record)}\n`).join('');
}

describe('a segment that stands there already', () => {
  test.for([
    ['holds only the first hundred records', (text: string) => text.split('\n').slice(0, 100).join('\n') + '\n'],
    ['is cut in the middle of a line', (text: string) => text.slice(0, 20_000)],
    ['lacks its last line end', (text: string) => text.slice(0, -1)],
    ['has a flipped digit', (text: string) => text.replace('"n":77,', '"n":78,')],
    ['is empty', () => ''],
    ['has one line too many', (text: string) => `${text}{}\n`],
    ['has two lines in each other\u2019s place', (text: string) => swapLines(text, 30, 31)],
  ] as const)('but %s costs no slot', async ([, damage], { folder, log }) => {
    const records = writeHandLog(folder, 320);
    setAge(folder, 25);
    writeFileSync(`${folder}/${segmentName(1)}`, damage(segmentText(records.slice(0, 256))));

    expect(await log.fold()).toBe(0);

    expect(readdirSync(folder).filter((name) => !name.startsWith('audit-'))).toHaveLength(320);
  });

  test('costs those slots alone that it holds', async ({ folder, log }) => {
    const records = writeHandLog(folder, 320);
    setAge(folder, 25);
    writeFileSync(`${folder}/${segmentName(1)}`, segmentText(records.slice(0, 256)));
    const late = nextRecord(records[8], { n: 'late' });
    writeSlot(folder, late);

    await log.fold();

    expect(readdirSync(folder)).toHaveLength(66);
    expect(readFileSync(`${folder}/${slotName(10)}`, 'utf8')).toBe(`${canonicalLine(late)}\n`);
    expect(await log.garbage()).toEqual({ beyondGap: [], shadowed: [10] });
  });

  test.for(['before', 'while'])(
    'from a program that died %s we fold is made durable before the first slot goes',
    async (when, { folder, log }) => {
      const text = segmentText(writeHandLog(folder, 320).slice(0, 256));
      setAge(folder, 25);
      const syncs = await watchFsyncs();
      const syncsAtUnlink: number[] = [];
      const watchUnlink = (): void =>
        armFailpoint('fold:unlink', () => void syncsAtUnlink.push(syncs.filter((path) => path === folder).length));
      if (when === 'before') {
        writeFileSync(`${folder}/${segmentName(1)}`, text);
        watchUnlink();
      } else {
        armFailpoint('fold:checked', () => {
          writeFileSync(`${folder}/${segmentName(1)}`, text);
          watchUnlink();
        });
      }

      await log.fold();

      expect(syncsAtUnlink).toHaveLength(256);
      expect(syncsAtUnlink[0]).toBeGreaterThan(0);
    },
  );
});

function swapLines(text: string, at: number, other: number): string {
  const lines = text.split('\n');
  return lines
    .with(at, lines[other] ?? '')
    .with(other, lines[at] ?? '')
    .join('\n');
}

describe('a writer that was frozen over a fold', () => {
  test('links onto the freed name, is told that it lost, and takes its slot away', async ({ folder, temp, log }) => {
    const records = writeHandLog(folder, 9);
    let thaw: () => void = () => {};
    let isFrozen: () => void = () => {};
    const frozen = new Promise<void>((resolve) => (isFrozen = resolve));
    const appending = log.appendAt(10, async () => {
      isFrozen();
      await new Promise<void>((resolve) => (thaw = resolve));
      return { n: 'late' };
    });
    await frozen;
    const later = writeHandLog(folder, 320);
    expect(later[8]).toEqual(records[8]);
    setAge(folder, 48);
    const folding = openLog(folder, 'audit', { tempDirectory: temp, clock: new FakeClock(NOW) });
    expect(await folding.fold()).toBe(1);
    expect(readdirSync(folder)).not.toContain(slotName(10));

    thaw();

    expect(await appending).toBe('lost');
    expect(readdirSync(folder)).not.toContain(slotName(10));
    expect(await log.read(10)).toEqual(later[9]);
    expect(await log.garbage()).toEqual({ beyondGap: [], shadowed: [] });
  });

  test('is not read, even while its slot still stands there', async ({ folder, log }) => {
    const records = writeHandLog(folder, 320);
    setAge(folder, 48);
    await log.fold();
    writeFileSync(`${folder}/${slotName(10)}`, '{"a late":"writer"}\n');

    expect(await log.read(10)).toEqual(records[9]);
    expect(await log.tip()).toEqual(records[319]);
    expect(await log.garbage()).toEqual({ beyondGap: [], shadowed: [10] });
  });
});
