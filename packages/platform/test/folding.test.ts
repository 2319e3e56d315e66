import { mkdirSync, readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { FakeClock, test as base } from '@jvs/testkit';
import { afterEach, describe, expect } from 'vitest';
import { openLog, type ExclusiveLog } from '../src/exclusive-log.ts';
import { armFailpoint, disarmFailpoint } from '../src/failpoint.ts';
import { canonicalLine, segmentName, slotName, writeHandLog } from './fixtures/hand-written-log.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 1, 20, 9, 12);

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
    await use(openLog(folder, 'audit', { tempDirectory: temp, clock: new FakeClock(NOW) }));
  },
});
afterEach(disarmFailpoint);

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
