import { mkdirSync, readFileSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { test as plain } from '@jvs/testkit';
import { describe, expect } from 'vitest';
import { acquireLock } from '../src/acquire-lock.ts';
import { beat, filesystemNow, leaseEnd, readHeartbeat, takeOverTime } from '../src/lease-clock.ts';
import { lockStatus } from '../src/lock-status.ts';
import { LOCK } from './fixtures/vectors.ts';
import { test } from './fixtures/world.ts';

const HEARTBEAT = 1_000_000;

describe('the lease of the vector lock', () => {
  test('ends after its duration, and can be taken after skew and grace', () => {
    expect(leaseEnd(LOCK, HEARTBEAT)).toBe(1_300_000);
    expect(takeOverTime(LOCK, HEARTBEAT)).toBe(1_303_000);
  });
});

describe('the clock of the filesystem', () => {
  plain('is the time of a byte just written', async ({ dir }) => {
    const probePath = `${dir}/probe`;

    const first = (await filesystemNow({ probePath })) ?? 0;
    utimesSync(probePath, 0, 0);
    const second = (await filesystemNow({ probePath })) ?? 0;

    expect(Math.abs(first - Date.now())).toBeLessThan(2000);
    expect(second).toBeGreaterThanOrEqual(first);
    expect(Math.floor(statSync(probePath).mtimeMs)).toBe(second);
    expect(readFileSync(probePath)).toHaveLength(1);
  });

  plain('is overwritten in place, so that the probe stays one file', async ({ dir }) => {
    const probePath = `${dir}/probe`;
    writeFileSync(probePath, '.');
    const { ino } = statSync(probePath);

    await filesystemNow({ probePath });

    expect(statSync(probePath).ino).toBe(ino);
  });

  plain('that cannot be asked for another reason fails', async ({ dir }) => {
    mkdirSync(`${dir}/probe`);

    await expect(filesystemNow({ probePath: `${dir}/probe` })).rejects.toMatchObject({ code: 'EISDIR' });
  });
});

describe('the heartbeat', () => {
  test('is the time of the current record\u2019s file, moved by each beat', async ({ world }) => {
    const record = await world.state();
    const site = world.as('ada');

    await beat(site, record, 1_771_578_748_123);

    expect(await readHeartbeat(site, record)).toBe(1_771_578_748_123);
  });

  test('of a record that was folded away is the time it was made', async ({ world }) => {
    const record = await world.state();
    unlinkSync(world.log.slotPath(1));

    expect(await readHeartbeat(world.as('ada'), record)).toBe(Date.parse('2026-02-20T09:12:00.000Z'));
  });
});

test('the status of a lock tells its lease to everybody, and whose it is', async ({ world }) => {
  expect(await lockStatus(world.as('bob'))).toMatchObject({ state: 'free', leaseEndMs: undefined, mine: false });
  const { record } = await acquireLock(world.as('ada'));

  const heartbeat = await readHeartbeat(world.as('ada'), record);
  expect(await lockStatus(world.as('bob'))).toMatchObject({
    state: 'held',
    leaseEndMs: heartbeat + 300_000,
    mine: false,
  });
  expect(await lockStatus(world.as('ada'))).toMatchObject({ state: 'held', mine: true });
  await world.age(302_000);
  expect(await lockStatus(world.as('bob'))).toMatchObject({ state: 'expired' });
  await world.age(3000);
  expect(await lockStatus(world.as('bob'))).toMatchObject({ state: 'stealable', record });
});
