import { expect, test } from 'vitest';
import { printable, printableLines } from '../src/printable.ts';

test('what could steer a terminal is shown, not sent', () => {
  expect(printable('a\u001b[31m\n\r\t\u009b\u202eb')).toBe('a\\x1b[31m\\n\\r\\t\\x9b\\u202eb');
  expect(printableLines('a\n\u001b[31mred\u001b[39m\u001b]0;title\u0007')).toBe(
    'a\n\u001b[31mred\u001b[39m\\x1b]0;title\\x07',
  );
});

test.each(['8', '7', '5', '38;5;1', '31;1', '', '1', '4', '30', '107'])(
  'no other colours pass than those that we print: ESC [ %s m',
  (code) => {
    expect(printableLines(`a\u001b[${code}mb`)).toBe(`a\\x1b[${code}mb`);
  },
);

test.each(['0', '2', '22', '31', '32', '33', '36', '39'])('the colours that we print pass: ESC [ %s m', (code) => {
  expect(printableLines(`a\u001b[${code}mb`)).toBe(`a\u001b[${code}mb`);
});
