import { describe, expect, test } from 'vitest';
import { isMet, median, resultOf, type Measurement } from '../src/measurement.ts';

const measured: Measurement = {
  what: 'a command',
  unit: 'ms',
  jvs: { command: 'jvs info', values: [30, 10, 80] },
  peer: { name: 'Node', command: 'node -e 0', values: [40, 20] },
  compare: 'ratio',
};

describe('median', () => {
  test('is the one in the middle, or half way between the two', () => {
    expect(median([100, 1, 9])).toBe(9);
    expect(median([100, 1, 9, 3])).toBe(6);
  });

  test('of nothing is refused', () => {
    expect(() => median([])).toThrow('Nothing was measured');
  });
});

test('the result is the ratio or the difference of medians, or the worst value', () => {
  expect(resultOf(measured)).toBe(1);
  expect(resultOf({ ...measured, compare: 'difference' })).toBe(0);
  expect(resultOf({ ...measured, compare: 'largest' })).toBe(80);
});

test('a bar is met up to and with its value, and only where there is one', () => {
  expect(isMet({ ...measured, bar: 1 })).toBe(true);
  expect(isMet({ ...measured, bar: 0.99 })).toBe(false);
  expect(isMet(measured)).toBeUndefined();
});
