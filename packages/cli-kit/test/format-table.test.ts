import { expect, test } from 'vitest';
import { formatTable } from '../src/format-table.ts';

test('a table has columns as wide as they must be', () => {
  expect(formatTable([['main', 'free'], ['experiment', 'held', ''], []])).toBe('main        free\nexperiment  held\n');
});
