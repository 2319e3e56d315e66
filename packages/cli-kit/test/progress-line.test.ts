import { expect, test } from 'vitest';
import { ProgressLine } from '../src/progress-line.ts';

function fixture(columns = 100): { line: ProgressLine; drawn: string[]; wait: (ms: number) => void } {
  const drawn: string[] = [];
  let now = 0;
  const line = new ProgressLine({ columns, write: (text) => drawn.push(text) }, () => now);
  return { line, drawn, wait: (ms) => void (now += ms) };
}

test('shows counts, bytes, rate and the time that is left', () => {
  const { line, drawn, wait } = fixture();
  line.show({ type: 'phase', phase: 'Hashing' });
  wait(200);
  line.show({ type: 'planned', files: 10, bytes: 4 * 1024 ** 2 });
  wait(1800);

  line.show({ type: 'advanced', files: 3, bytes: 1024 ** 2 });

  expect(drawn.at(-1)).toBe('\rHashing  3/10 files  1.0 MiB/4.0 MiB  512.0 KiB/s  6 s left\u001b[K');
});

test('goes by files as much as by bytes: many small ones take their time too', () => {
  const { line, drawn, wait } = fixture();
  line.show({ type: 'phase', phase: 'copying' });
  line.show({ type: 'planned', files: 1000, bytes: 1_000_000_000 });
  wait(10_000);
  line.show({ type: 'advanced', files: 900, bytes: 1_000_000 });
  wait(10_000);
  line.show({ type: 'advanced', files: 0, bytes: 899_000_000 });

  expect(drawn.at(-2)).toContain('  13 s left\u001b');
  expect(drawn.at(-1)).toContain('  3 s left\u001b');
});

test.for([
  [60, 'copying  450/500 files  90.0 MiB/100.0 MiB  12 s left'],
  [40, 'copying  450/500 files  12 s left'],
  [20, 'copying  12 s left'],
  [10, 'copying'],
] as const)('on %i columns leaves out what does not fit, and cuts no number', ([columns, expected]) => {
  const { line, drawn, wait } = fixture(columns);
  line.show({ type: 'phase', phase: 'copying' });
  line.show({ type: 'planned', files: 500, bytes: 100 * 1024 ** 2 });
  wait(100_000);

  line.show({ type: 'advanced', files: 450, bytes: 90 * 1024 ** 2 });

  expect(drawn.at(-1)).toBe(`\r${expected}\u001b[K`);
});

test('is drawn at most ten times a second', () => {
  const { line, drawn, wait } = fixture();
  line.show({ type: 'phase', phase: 'Copying' });
  for (let file = 0; file < 1000; file += 1) {
    line.show({ type: 'advanced', files: 1 });
    wait(1);
  }

  expect(drawn.length).toBeGreaterThan(5);
  expect(drawn.length).toBeLessThanOrEqual(11);
});

test('on a terminal that does not tell its width is as wide as 80 columns', () => {
  const { line, drawn } = fixture(0);
  line.show({ type: 'phase', phase: 'scanning' });
  line.show({ type: 'phase', phase: 'x'.repeat(100) });

  expect(drawn).toEqual(['\rscanning\u001b[K', `\r${'x'.repeat(79)}\u001b[K`]);
});

test('makes room for what is printed meanwhile, and comes back with the next event', () => {
  const { line, drawn, wait } = fixture();
  line.show({ type: 'phase', phase: 'Copying' });
  line.clear();
  line.clear();
  wait(1);
  line.show({ type: 'advanced', files: 1 });

  expect(drawn).toEqual(['\rCopying\u001b[K', '\r\u001b[K', '\rCopying  1 files\u001b[K']);
});

test('never wraps, and leaves nothing behind', () => {
  const { line, drawn } = fixture(12);
  line.show({ type: 'phase', phase: 'A stage with a long name' });
  line.clear();

  expect(drawn).toEqual(['\rA stage wit\u001b[K', '\r\u001b[K']);
});
