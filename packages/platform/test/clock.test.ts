import { execFileSync } from 'node:child_process';
import { test } from '@jvs/testkit';
import { expect } from 'vitest';
import { systemClock, timestamp } from '../src/clock.ts';

test('times are written in UTC with milliseconds', () => {
  expect(timestamp(1771578748123)).toBe('2026-02-20T09:12:28.123Z');
  expect(timestamp(0)).toBe('1970-01-01T00:00:00.000Z');
});

test('the monotonic clock goes on by whole milliseconds while the process sleeps', async () => {
  const before = systemClock.monotonic();
  await systemClock.sleep(30);
  const passed = systemClock.monotonic() - before;

  expect(Number.isInteger(before)).toBe(true);
  expect(passed).toBeGreaterThanOrEqual(20);
});

test('the monotonic clock is the kernel\u2019s, which all processes of a boot share', () => {
  const clock = `import time; print(int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1000))`;
  const before = systemClock.monotonic();
  const inOtherProcess = Number(execFileSync('python3', ['-c', clock], { encoding: 'utf8' }));
  const after = systemClock.monotonic();

  expect(inOtherProcess).toBeGreaterThanOrEqual(before);
  expect(inOtherProcess).toBeLessThanOrEqual(after);
});

test('the wall clock is the system\u2019s', () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
});

test('a sleeper wakes when aborted', async () => {
  const abort = new AbortController();
  const sleep = systemClock.sleep(60_000, abort.signal);
  abort.abort();

  await expect(sleep).rejects.toMatchObject({ name: 'AbortError' });
});
