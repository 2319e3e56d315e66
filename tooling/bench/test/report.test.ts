import { expect, test } from 'vitest';
import type { Measurement } from '../src/measurement.ts';
import { insertReport, renderReport, renderTable } from '../src/report.ts';

const verified: Measurement = {
  what: 'Verify',
  unit: 'ms',
  jvs: { command: 'jvs verify <id>', values: [1000, 1100, 1900] },
  peer: { name: 'restic', command: 'restic check --read-data', values: [4000, 4400, 5000] },
  compare: 'ratio',
  bar: 0.2,
};

test('a row has medians, the least and the largest values, the ratio and the bar', () => {
  const cells = renderTable([verified])[2]
    ?.split('|')
    .map((cell) => cell.trim());

  expect(cells).toEqual([
    '',
    'Verify',
    '1100 ms',
    '1000–1900',
    'restic',
    '4400 ms',
    '4000–5000',
    '0.25 ×',
    '≤ 0.20 ×',
    'missed',
    '',
  ]);
});

test('a report names each command once', () => {
  const report = renderReport({ Date: '2026-01-02' }, [verified, verified]);

  expect(report).toContain('- Date: 2026-01-02\n');
  expect(report.split('jvs verify <id>')).toHaveLength(2);
});

test('a report takes the place of the one before it, and the text around stays', () => {
  const document = 'before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n';
  const first = insertReport(document, 'new');

  expect(first).toBe('before\n<!-- measured: begin -->\n\nnew\n\n<!-- measured: end -->\nafter\n');
  expect(insertReport(first, 'new')).toBe(first);
  expect(() => insertReport('no marks', 'new')).toThrow('lacks the lines');
});
