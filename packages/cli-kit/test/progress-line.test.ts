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

  expect(drawn.at(-1)).toBe('\rHashing  3/10 files  1.0 MiB/4.0 MiB  512.0 KiB/s  6.0 s left\u001b[K');
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

test('never wraps, and leaves nothing behind', () => {
  const { line, drawn } = fixture(12);
  line.show({ type: 'phase', phase: 'A stage with a long name' });
  line.clear();

  expect(drawn).toEqual(['\rA stage wit\u001b[K', '\r\u001b[K']);
});
