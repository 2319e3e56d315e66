import { expect, test } from 'vitest';
import { suggest } from '../src/suggest.ts';

test.each([
  ['snapsot', 'snapshot'],
  ['hitsory', 'history'],
  ['lok', 'lock'],
  ['x', undefined],
  ['completely-else', undefined],
])('%s may mean %s', (word, meant) => {
  expect(suggest(word, ['snapshot', 'history', 'lock'])).toBe(meant);
});
