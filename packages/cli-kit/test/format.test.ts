import { expect, test } from 'vitest';
import { formatBytes } from '../src/format-bytes.ts';
import { formatDuration } from '../src/format-duration.ts';
import { formatTable } from '../src/format-table.ts';
import { printable, printableLines } from '../src/printable.ts';
import { suggest } from '../src/suggest.ts';

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1536, '1.5 KiB'],
  [1024 ** 2 - 1, '1.0 MiB'],
  [626_000_000, '597.0 MiB'],
  [5 * 1024 ** 4, '5.0 TiB'],
])('%i bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1000, '1.0 s'],
  [59_949, '59.9 s'],
  [59_990, '1 min 00 s'],
  [185_000, '3 min 05 s'],
  [7_620_000, '2 h 07 min'],
  [274_000_000, '3 d 04 h'],
])('%i ms are %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('a table has columns as wide as they must be', () => {
  expect(formatTable([['main', 'free'], ['experiment', 'held', ''], []])).toBe('main        free\nexperiment  held\n');
});

test('what could steer a terminal is shown, not sent', () => {
  expect(printable('a\u001b[31m\n\r\t\u009b\u202eb')).toBe('a\\x1b[31m\\n\\r\\t\\x9b\\u202eb');
  expect(printableLines('a\n\u001b[31mred\u001b[39m\u001b]0;title\u0007')).toBe(
    'a\n\u001b[31mred\u001b[39m\\x1b]0;title\\x07',
  );
});

test.each([
  ['snapsot', 'snapshot'],
  ['hitsory', 'history'],
  ['lok', 'lock'],
  ['x', undefined],
  ['completely-else', undefined],
])('%s may mean %s', (word, meant) => {
  expect(suggest(word, ['snapshot', 'history', 'lock'])).toBe(meant);
});
