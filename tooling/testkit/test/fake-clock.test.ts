import { expect, test } from 'vitest';

import { FakeClock } from '../src/index.ts';

test('stands still until told, and both its clocks move together', () => {
  const clock = new FakeClock(1000);
  expect([clock.now(), clock.monotonic()]).toEqual([1000, 0]);

  clock.advance(250);

  expect([clock.now(), clock.monotonic()]).toEqual([1250, 250]);
});

test('sets the wall clock alone', () => {
  const clock = new FakeClock(1000);
  clock.setWallClock(5);

  expect([clock.now(), clock.monotonic()]).toEqual([5, 0]);
});

test('wakes sleepers when their time has come, not before', async () => {
  const clock = new FakeClock();
  let awake = false;
  const sleeping = clock.sleep(100).then(() => (awake = true));

  clock.advance(99);
  await Promise.resolve();
  expect(awake).toBe(false);

  clock.advance(1);
  await sleeping;
  expect(awake).toBe(true);
});

test('a sleeper that is aborted rejects with the reason', async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const sleeping = clock.sleep(100, controller.signal);

  controller.abort(new Error('enough'));

  await expect(sleeping).rejects.toThrow('enough');
  await expect(clock.sleep(1, controller.signal)).rejects.toThrow('enough');
});
