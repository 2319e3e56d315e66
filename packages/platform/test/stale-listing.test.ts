import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { test as base } from '@jvs/testkit';
import { afterEach, expect, vi } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { openLog, type ExclusiveLog } from '../src/exclusive-log.ts';
import {
  canonicalLine,
  nextRecord,
  segmentName,
  slotName,
  writeHandLog,
  writeSlot,
} from './fixtures/hand-written-log.ts';

/** What others do to the folder while it is listed; returns the names that the listing then shows. */
let meanwhile: ((names: string[]) => string[]) | undefined;

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  return {
    ...real,
    readdir: async (path: string) => {
      const names = await real.readdir(path);
      return meanwhile?.(names) ?? names;
    },
  };
});
afterEach(() => (meanwhile = undefined));

const test = base.extend<{ folder: string; log: ExclusiveLog }>({
  folder: async ({ dir }, use) => {
    mkdirSync(`${dir}/log`);
    await use(`${dir}/log`);
  },
  log: async ({ dir, folder }, use) => {
    await use(openLog(folder, 'audit', { tempDirectory: dir, clock: { ...systemClock, sleep: async () => {} } }));
  },
});
const clean = { beyondGap: [], shadowed: [] };

test('records that were appended behind the back of a listing are no garbage', async ({ folder, log }) => {
  writeHandLog(folder, 6);
  // Record 5 came too late to be seen, record 6 did not.
  meanwhile = (names) => names.filter((name) => name !== slotName(5));

  expect(await log.garbage()).toEqual(clean);
  expect(await log.tip()).toMatchObject({ seq: 6 });
});

test('records that were folded behind its back are none', async ({ folder, log }) => {
  const records = writeHandLog(folder, 330);
  meanwhile = (names) => {
    fold();
    // The segment was not there yet when its place in the folder was passed, slots 1 to 9 were gone already.
    return names.filter((name) => !name.startsWith('audit-') && name > slotName(9));
  };
  let isFolded = false;
  function fold(): void {
    if (isFolded) return;
    isFolded = true;
    const bucket = records.slice(0, 256);
    writeFileSync(`${folder}/${segmentName(1)}`, bucket.map((record) => `${canonicalLine(record)}\n`).join(''));
    for (const { seq } of bucket) unlinkSync(`${folder}/${slotName(seq)}`);
  }

  expect(await log.garbage()).toEqual(clean);
});

test('a slot that its rejected writer took away meanwhile is none', async ({ folder, log }) => {
  const records = writeHandLog(folder, 3);
  writeSlot(folder, nextRecord(records[2], { n: 'kept' }));
  const foreign = readFileSync(`${folder}/${slotName(4)}`);
  writeFileSync(`${folder}/${slotName(9)}`, foreign);
  meanwhile = (names) => {
    if (names.includes(slotName(9))) unlinkSync(`${folder}/${slotName(9)}`);
    return names;
  };

  expect(await log.garbage()).toEqual(clean);
});

test('what stays beyond a gap is', async ({ folder, log }) => {
  writeHandLog(folder, 6);
  unlinkSync(`${folder}/${slotName(4)}`);
  meanwhile = (names) => names.filter((name) => name !== slotName(3));

  expect(await log.garbage()).toEqual({ beyondGap: [5, 6], shadowed: [] });
});
