import { mkdirSync, readdirSync, utimesSync } from 'node:fs';
import { FakeClock, test as base } from '@jvs/testkit';
import { expect, onTestFinished } from 'vitest';
import { openLog } from '../src/exclusive-log.ts';
import { readChain, slotName, writeHandLog } from './fixtures/hand-written-log.ts';
import { startWriter } from './fixtures/run-writer.ts';

const NOW = Date.UTC(2026, 1, 20, 9, 12);

const test = base.extend<{ folder: string; temp: string }>({
  folder: async ({ dir }, use) => {
    mkdirSync(`${dir}/log`);
    await use(`${dir}/log`);
  },
  temp: async ({ dir }, use) => {
    mkdirSync(`${dir}/tmp`);
    await use(`${dir}/tmp`);
  },
});

test('four processes that append at once leave every record once, in one chain', async ({ folder, temp }) => {
  const writers = ['a', 'b', 'c', 'd'];

  await Promise.all(writers.map(async (writer) => startWriter(folder, temp, writer, '25').output));

  const found = readChain(folder).map(({ writer, n }) => `${String(writer)}${String(n)}`);
  expect(found).toHaveLength(100);
  for (const writer of writers) {
    const own = found.filter((name) => name.startsWith(writer));
    expect(own).toEqual(Array.from({ length: 25 }, (_, index) => `${writer}${index + 1}`));
  }
  expect(readdirSync(temp)).toEqual([]);
});

test('of processes that want the same number one gets it', async ({ folder, temp }) => {
  writeHandLog(folder, 4);

  const outputs = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (writer) => startWriter(folder, temp, writer, '0', '5').output),
  );

  expect(outputs.toSorted()).toEqual(['done', 'lost', 'lost', 'lost']);
  expect(readChain(folder)).toHaveLength(5);
});

test('a process frozen before its link loses to whoever came in between', async ({ folder, temp }) => {
  writeHandLog(folder, 4);
  const frozen = startWriter(folder, temp, 'frozen', '0', '5', 'append:temp');
  onTestFinished(() => frozen.kill());
  await frozen.stopped();
  expect(await startWriter(folder, temp, 'quick', '0', '5').output).toBe('done');

  frozen.resume();

  expect(await frozen.output).toBe('lost');
  expect(readChain(folder).at(-1)).toMatchObject({ seq: 5, writer: 'quick' });
});

test('a process frozen after its link has won, whoever went on meanwhile', async ({ folder, temp }) => {
  writeHandLog(folder, 4);
  const frozen = startWriter(folder, temp, 'frozen', '0', '5', 'append:link');
  onTestFinished(() => frozen.kill());
  await frozen.stopped();
  await startWriter(folder, temp, 'quick', '3').output;

  frozen.resume();

  expect(await frozen.output).toBe('done');
  expect(readChain(folder).map(({ writer }) => writer)).toEqual([
    ...Array.from({ length: 4 }),
    'frozen',
    'quick',
    'quick',
    'quick',
  ]);
});

test('a process frozen before its link and thawed after a fold of that number loses', async ({ folder, temp }) => {
  writeHandLog(folder, 4);
  const frozen = startWriter(folder, temp, 'frozen', '0', '5', 'append:temp');
  onTestFinished(() => frozen.kill());
  await frozen.stopped();
  const records = writeHandLog(folder, 320);
  for (const name of readdirSync(folder)) utimesSync(`${folder}/${name}`, 0, 0);
  const log = openLog(folder, 'audit', { tempDirectory: temp, clock: new FakeClock(NOW) });
  expect(await log.fold()).toBe(1);

  frozen.resume();

  expect(await frozen.output).toBe('lost');
  expect(readdirSync(folder)).not.toContain(slotName(5));
  expect(await log.read(5)).toEqual(records[4]);
});
