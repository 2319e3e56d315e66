import { mkdirSync, readFileSync, readdirSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { test as base } from '@jvs/testkit';
import fc from 'fast-check';
import { afterEach, describe, expect } from 'vitest';
import { systemClock, type Clock } from '../src/clock.ts';
import { errnoError } from '../src/errors.ts';
import { openLog, type ExclusiveLog } from '../src/exclusive-log.ts';
import { armFailpoint, disarmFailpoint } from '../src/failpoint.ts';
import {
  canonicalLine,
  hashOf,
  nextRecord,
  readChain,
  segmentName,
  slotName,
  writeHandLog,
  writeSlot,
} from './fixtures/hand-written-log.ts';

/** The real clock without its waiting, so that retries take no time. */
const hasty: Clock = { ...systemClock, sleep: async () => {} };

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
    await use(openLog(folder, 'audit', { tempDirectory: temp, clock: hasty }));
  },
});
/** Names that begin as a segment's does. */
const NO_SEGMENTS = [
  'audit-000000000001-000000000256.jsonl.orig',
  'audit-000000000001-000000000255.jsonl',
  'audit-000000000002-000000000257.jsonl',
  'audit-000000000001-.jsonl',
  'state-000000000001-000000000256.jsonl',
];
const broken = { code: 'E_AUDIT_CHAIN_BROKEN' };
afterEach(disarmFailpoint);

async function all(log: ExclusiveLog, from?: number): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { seq } of log.records(from)) numbers.push(seq);
  return numbers;
}

describe('records', () => {
  test('are numbered from 1, linked, hashed, one canonical line each', async ({ folder, temp, log }) => {
    await log.append(() => ({ what: 'first', amount: 3 }));
    await log.append((previous) => ({ what: 'second', amount: previous?.['amount'] ?? null }));

    const [first, second] = readChain(folder);
    expect(first).toMatchObject({ what: 'first', seq: 1, prev_hash: '' });
    expect(second).toMatchObject({ what: 'second', amount: 3, seq: 2, prev_hash: first?.record_hash });
    expect(readdirSync(folder)).toEqual(['000000000001.jsonl', '000000000002.jsonl']);
    expect(readdirSync(temp)).toEqual([]);
  });

  test('written by hand are read', async ({ folder, log }) => {
    const records = writeHandLog(folder, 3);

    expect(await log.tip()).toEqual(records[2]);
    expect(await log.read(2)).toEqual(records[1]);
    expect(await log.read(4)).toBeUndefined();
    expect(await all(log)).toEqual([1, 2, 3]);
    expect(await all(log, 2)).toEqual([2, 3]);
  });

  test('of an empty log are none', async ({ log }) => {
    expect(await log.tip()).toBeUndefined();
    expect(await log.read(1)).toBeUndefined();
    expect(await all(log)).toEqual([]);
    expect(await log.garbage()).toEqual({ beyondGap: [], shadowed: [] });
  });

  test('a builder may refuse, and nothing is written', async ({ folder, temp, log }) => {
    await log.append(() => ({ n: 1 }));
    const refused = log.append(() => {
      throw new Error('not like this');
    });

    await expect(refused).rejects.toThrow('not like this');
    expect(readdirSync(folder)).toHaveLength(1);
    expect(readdirSync(temp)).toEqual([]);
  });

  test('larger than 64 KiB are refused', async ({ folder, log }) => {
    await expect(log.append(() => ({ text: 'x'.repeat(65_536) }))).rejects.toThrow(Error);
    expect(readdirSync(folder)).toEqual([]);
    await log.append(() => ({ text: 'x'.repeat(65_000) }));
    expect(readChain(folder)).toHaveLength(1);
  });
});

describe('appendAt', () => {
  test('writes exactly the next number and no other', async ({ folder, log }) => {
    const build = () => ({ n: 0 });

    expect(await log.appendAt(2, build)).toBe('lost');
    expect(await log.appendAt(1, build)).toMatchObject({ seq: 1 });
    expect(await log.appendAt(1, build)).toBe('lost');
    expect(await log.appendAt(3, build)).toBe('lost');
    expect(await log.appendAt(2, build)).toMatchObject({ seq: 2 });
    expect(readChain(folder)).toHaveLength(2);
  });

  test('of many at once has exactly one winner', async ({ folder, temp, log }) => {
    await log.append(() => ({ who: -1 }));

    const results = await Promise.all(Array.from({ length: 12 }, async (_, who) => log.appendAt(2, () => ({ who }))));

    const winners = results.filter((result) => result !== 'lost');
    expect(winners).toHaveLength(1);
    expect(readChain(folder)[1]).toEqual(winners[0]);
    expect(readdirSync(temp)).toEqual([]);
  });

  test('does not build at all when its number is taken', async ({ log }) => {
    await log.append(() => ({ n: 1 }));
    let built = false;

    await log.appendAt(1, () => {
      built = true;
      return {};
    });

    expect(built).toBe(false);
  });
});

describe('many writers in one process', () => {
  test('leave every record once, in one gapless chain', async ({ dir, temp }) => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 6 }), async (plan) => {
        const directory = `${dir}/run-${(run += 1)}`;
        mkdirSync(directory);
        const expected: string[] = [];

        await Promise.all(
          plan.map(async (count, writer) => {
            const log = openLog(directory, 'audit', { tempDirectory: temp, clock: hasty });
            for (let n = 1; n <= count; n += 1) {
              expected.push(`${writer}.${n}`);
              await log.append(() => ({ who: `${writer}.${n}` }));
            }
          }),
        );

        const found = readChain(directory).map((record) => String(record['who']));
        expect(found.toSorted()).toEqual(expected.toSorted());
        // What one writer appends one after the other stands in that order.
        for (const writer of plan.keys()) {
          const own = found.filter((who) => who.startsWith(`${writer}.`));
          expect(own).toEqual(own.map((_, index) => `${writer}.${index + 1}`));
        }
      }),
      { numRuns: 12 },
    );
  });

  test('who count by compare-and-swap lose no step', async ({ folder, temp }) => {
    const step = async (_: unknown, who: number) => {
      const log = openLog(folder, 'state', { tempDirectory: temp, clock: hasty });
      for (;;) {
        const tip = await log.tip();
        const count = Number(tip?.['count'] ?? 0) + 1;
        if ((await log.appendAt((tip?.seq ?? 0) + 1, () => ({ count, who }))) !== 'lost') return;
      }
    };

    await Promise.all(Array.from({ length: 10 }, step));

    expect(readChain(folder).map((record) => record['count'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('a link that the server made although it said otherwise', () => {
  test('counts as made when the slot holds our very record', async ({ folder, temp, log }) => {
    // The first transmission of a LINK succeeds, its answer is lost, the second meets EEXIST: as seen from here, the
    // slot has our bytes when our link fails.
    armFailpoint('append:temp', () => {
      const [file = ''] = readdirSync(temp);
      writeFileSync(`${folder}/${slotName(1)}`, readFileSync(`${temp}/${file}`));
    });

    const appended = await log.appendAt(1, () => ({ n: 1 }));

    expect(appended).toMatchObject({ seq: 1, n: 1 });
    expect(readdirSync(temp)).toEqual([]);
  });

  test('does not count when it holds another record', async ({ folder, temp, log }) => {
    const other = nextRecord(undefined, { n: 'other' });
    armFailpoint('append:temp', () => writeSlot(folder, other));

    expect(await log.appendAt(1, () => ({ n: 1 }))).toBe('lost');
    expect(readChain(folder)).toEqual([other]);
    expect(readdirSync(temp)).toEqual([]);
  });
});

describe('a writer that fails between two steps', () => {
  test.for([
    ['temp', 0],
    ['link', 1],
    ['unlink', 1],
    ['checked', 1],
    ['synced', 1],
  ] as const)('after %s leaves %i records and a log that goes on', async ([step, left], { folder, temp, log }) => {
    armFailpoint(`append:${step}`, () => {
      throw errnoError('EIO', 'fsync');
    });
    await expect(log.append(() => ({ n: 1 }))).rejects.toMatchObject({ code: 'EIO' });
    disarmFailpoint();

    expect(readdirSync(folder)).toHaveLength(left);
    expect(readdirSync(temp)).toEqual([]);
    expect(await log.append(() => ({ n: 2 }))).toMatchObject({ seq: left + 1 });
    expect(readChain(folder)).toHaveLength(left + 1);
  });

  test('each log has failpoints of its own', async ({ folder, log }) => {
    armFailpoint('append-state:temp', () => {
      throw new Error('not this log');
    });

    await log.append(() => ({ n: 1 }));

    expect(readChain(folder)).toHaveLength(1);
  });
});

describe('damage', () => {
  test.for([
    ['is cut short', (path: string) => truncateSync(path, 40)],
    ['is empty', (path: string) => truncateSync(path, 0)],
    ['is no object', (path: string) => writeFileSync(path, '[1]\n')],
    [
      'has another content',
      (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace('"n":3', '"n":4')),
    ],
    ['has an added key', (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace('{', '{"a":1,'))],
    [
      'holds a number that JSON has and no canonical form',
      (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace('"n":3', '"n":1e999')),
    ],
    [
      'holds half a character',
      (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace('"n":3', '"n":"\\ud800"')),
    ],
    ['lacks its hash', (path: string) => writeFileSync(path, '{"n":3,"prev_hash":"","seq":3}\n')],
  ] as const)('a record that %s is a broken chain', async ([, damage], { folder, log }) => {
    writeHandLog(folder, 3);
    damage(`${folder}/${slotName(3)}`);

    await expect(log.read(3)).rejects.toMatchObject(broken);
    await expect(log.tip()).rejects.toMatchObject(broken);
    await expect(all(log)).rejects.toMatchObject(broken);
    await expect(log.append(() => ({ n: 4 }))).rejects.toMatchObject(broken);
    expect(readdirSync(folder)).toHaveLength(3);
  });

  test('a record under another number is a broken chain', async ({ folder, log }) => {
    const records = writeHandLog(folder, 2);
    writeFileSync(`${folder}/${slotName(3)}`, `${canonicalLine(records[1] ?? {})}\n`);

    await expect(log.read(3)).rejects.toMatchObject(broken);
    await expect(all(log)).rejects.toMatchObject(broken);
  });

  test('a tip that follows another record is a broken chain', async ({ folder, log }) => {
    writeHandLog(folder, 3);
    const body = { n: 4, seq: 4, prev_hash: '0'.repeat(64) };
    writeSlot(folder, { ...body, record_hash: hashOf(body) });

    await expect(log.tip()).rejects.toMatchObject(broken);
    await expect(all(log)).rejects.toMatchObject(broken);
  });

  test('a record 1 that claims a predecessor is a broken chain', async ({ folder, log }) => {
    const body = { n: 1, seq: 1, prev_hash: '0'.repeat(64) };
    writeSlot(folder, { ...body, record_hash: hashOf(body) });

    await expect(log.tip()).rejects.toMatchObject(broken);
    await expect(all(log)).rejects.toMatchObject(broken);
  });

  test('a rewritten record in the middle breaks the chain behind it', async ({ folder, log }) => {
    const [first] = writeHandLog(folder, 4);
    writeSlot(folder, nextRecord(first, { n: 'forged' }));

    await expect(all(log)).rejects.toMatchObject(broken);
    expect(await log.tip()).toMatchObject({ seq: 4 });
  });

  test('a rejected slot that is gone after a moment is none', async ({ folder, temp }) => {
    writeHandLog(folder, 2);
    const body = { n: 3, seq: 3, prev_hash: '0'.repeat(64) };
    writeSlot(folder, { ...body, record_hash: hashOf(body) });
    const sleep = async () => unlinkSync(`${folder}/${slotName(3)}`);
    const log = openLog(folder, 'audit', { tempDirectory: temp, clock: { ...systemClock, sleep } });

    expect(await log.tip()).toMatchObject({ seq: 2 });
  });

  test('slots beyond a gap are garbage: found, and never read', async ({ folder, log }) => {
    writeHandLog(folder, 6);
    unlinkSync(`${folder}/${slotName(4)}`);

    expect(await log.tip()).toMatchObject({ seq: 3 });
    expect(await log.garbage()).toEqual({ beyondGap: [5, 6], shadowed: [] });
  });

  test('other files in the folder are not looked at', async ({ folder, log }) => {
    writeHandLog(folder, 2);
    for (const name of ['.nfs0001', '3.jsonl', '000000000003.jsonl.tmp', 'notes', ...NO_SEGMENTS])
      writeFileSync(`${folder}/${name}`, '?');
    mkdirSync(`${folder}/peers`);

    expect(await log.tip()).toMatchObject({ seq: 2 });
    expect(await log.garbage()).toEqual({ beyondGap: [], shadowed: [] });
  });
});

describe('a segment', () => {
  test('is read in place of its slots, and appending goes on', async ({ folder, log }) => {
    const records = writeHandLog(folder, 260);
    const bucket = records.slice(0, 256);
    writeFileSync(`${folder}/${segmentName(1)}`, bucket.map((record) => `${canonicalLine(record)}\n`).join(''));
    for (const { seq } of bucket) unlinkSync(`${folder}/${slotName(seq)}`);

    expect(await log.read(100)).toEqual(records[99]);
    expect(await all(log)).toEqual(records.map(({ seq }) => seq));
    expect(await all(log, 200)).toHaveLength(61);
    expect(await log.append(() => ({ n: 261 }))).toMatchObject({ seq: 261, prev_hash: records[259]?.record_hash });
  });

  test('alone makes a log that can be appended to', async ({ folder, log }) => {
    const records = writeHandLog(folder, 256);
    writeFileSync(`${folder}/${segmentName(1)}`, records.map((record) => `${canonicalLine(record)}\n`).join(''));
    for (const { seq } of records) unlinkSync(`${folder}/${slotName(seq)}`);

    expect(await log.append(() => ({ n: 257 }))).toMatchObject({ seq: 257, prev_hash: records[255]?.record_hash });
  });

  test('wins over a slot that differs, which is garbage', async ({ folder, log }) => {
    const records = writeHandLog(folder, 300);
    const bucket = records.slice(0, 256);
    writeFileSync(`${folder}/${segmentName(1)}`, bucket.map((record) => `${canonicalLine(record)}\n`).join(''));
    writeSlot(folder, nextRecord(records[3], { n: 'late' }));

    expect(await log.read(5)).toEqual(records[4]);
    expect(await all(log)).toHaveLength(300);
    expect(await log.garbage()).toEqual({ beyondGap: [], shadowed: [5] });
  });

  test('with a damaged line is a broken chain', async ({ folder, log }) => {
    const records = writeHandLog(folder, 300);
    const lines = records.slice(0, 256).map((record) => `${canonicalLine(record)}\n`);
    writeFileSync(`${folder}/${segmentName(1)}`, lines.join('').replace('"n":77,', '"n":78,'));

    await expect(all(log)).rejects.toMatchObject(broken);
    await expect(log.read(77)).rejects.toMatchObject(broken);
  });
});

test('the age of a file is not part of the log', async ({ folder, log }) => {
  writeHandLog(folder, 3);
  utimesSync(`${folder}/${slotName(3)}`, 0, 0);

  expect(await log.append(() => ({ n: 4 }))).toMatchObject({ seq: 4 });
});
