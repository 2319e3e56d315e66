import { expect, test } from 'vitest';
import { isWholeRun, parseOptions, ROW_NAMES } from '../src/options.ts';

test('without options everything is measured as the bars say', () => {
  const options = parseOptions([]);

  expect(options).toEqual({ files: 100_000, rounds: 5, rows: ROW_NAMES, dir: undefined, report: undefined });
  expect(options !== 'help' && isWholeRun(options)).toBe(true);
});

test.each([['--files=99999'], ['--rounds=4'], ['--only=verify'], ['--dir=.']])('%s is not a whole run', (option) => {
  const options = parseOptions([option]);

  expect(options !== 'help' && isWholeRun(options)).toBe(false);
});

test('rows keep their order, and unknown ones are refused', () => {
  expect(parseOptions(['--only', 'info', '--only', 'snapshot'])).toMatchObject({ rows: ['snapshot', 'info'] });
  expect(() => parseOptions(['--only', 'speed'])).toThrow('No such row: speed');
  expect(() => parseOptions(['--files', '1e99'])).toThrow('--files takes a whole number');
});
