import { test } from '@jvs/testkit';
import { afterEach, expect } from 'vitest';
import { armFailpoint, disarmFailpoint, failpoint } from '../src/failpoint.ts';

afterEach(disarmFailpoint);

test('an armed failpoint acts at its own step, every time, and at no other', () => {
  let hits = 0;
  armFailpoint('area:step', () => (hits += 1));

  failpoint('area:other');
  expect(hits).toBe(0);
  failpoint('area:step');
  failpoint('area:step');
  expect(hits).toBe(2);
});

test('what it throws is the failure of the step', () => {
  armFailpoint('area:step', () => {
    throw new Error('as told');
  });

  expect(() => failpoint('area:step')).toThrow('as told');
});

test('a disarmed one does nothing', () => {
  armFailpoint('area:step', () => {
    throw new Error('as told');
  });
  disarmFailpoint();

  expect(() => failpoint('area:step')).not.toThrow();
});
