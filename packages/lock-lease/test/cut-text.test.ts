import { Buffer } from 'node:buffer';
import { wellFormed } from '@jvs/platform/canonical-json';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutText, isCut } from '../src/cut-text.ts';

test.for([
  '',
  'a reason',
  '\u0001',
  'x'.repeat(4096),
  '\u4e2d'.repeat(4096),
  'ends in \u2026',
  '\u{1f600}'.repeat(2048),
])('a text that is not too long stays (%#)', (text) => {
  expect(cutText(text)).toBe(text);
  expect(isCut(text)).toBe(false);
});

test('a longer one is cut, and marked', () => {
  const cut = cutText('x'.repeat(4097));

  expect(cut).toBe(`${'x'.repeat(4095)}\u2026`);
  expect(isCut(cut)).toBe(true);
});

test('control characters, which take six bytes each, are counted as such', () => {
  const cut = cutText('\u0001'.repeat(4096));

  // JSON.stringify writes them as RFC 8785 does.
  expect(Buffer.byteLength(JSON.stringify(cut)) - 2).toBeLessThanOrEqual(16_384);
  expect(cut).toMatch(/^\u0001{2700,}\u2026$/); // oxlint-disable-line no-control-regex
  expect(isCut(cut)).toBe(true);
});

test('three of them leave room in a record of 64 KiB, whatever they hold; each says whether it was cut', () => {
  const long = fc.string({ unit: 'binary', minLength: 0, maxLength: 6000, size: 'max' });
  fc.assert(
    fc.property(long, (text) => {
      const cut = cutText(text);

      expect(Buffer.byteLength(JSON.stringify(cut)) * 3).toBeLessThan(60_000);
      expect(isCut(cut)).toBe(cut !== wellFormed(text));
    }),
    { numRuns: 200 },
  );
});
