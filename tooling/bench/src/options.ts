import { parseArgs } from 'node:util';

export const ROW_NAMES = ['snapshot', 'restore', 'verify', 'info', 'memory', 'syncs', 'scale'] as const;
export type RowName = (typeof ROW_NAMES)[number];

export interface BenchOptions {
  files: number;
  rounds: number;
  rows: readonly RowName[];
  /** Measure in a new folder below this directory instead of on a filesystem of our own. */
  dir: string | undefined;
  /** The document to write the table into. Default: docs/benchmarks.md after a whole run, else none. */
  report: string | undefined;
}

export const USAGE = `Usage: npm run bench -- [options]

  --files <n>      files in the tree                        (default: 100000)
  --rounds <n>     counted rounds, after one that is not    (default: 5)
  --only <row>     ${ROW_NAMES.join(', ')}; can be repeated
  --dir <dir>      measure below this directory; otherwise on an XFS made for it, which takes root
  --report <file>  write the table into this document; otherwise into docs/benchmarks.md
                   if the run has all rows, 100000 files, 5 rounds or more, and its own XFS`;

/** Reads the command line. @throws Error that says what is wrong with it */
export function parseOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== '--'),
    options: {
      files: { type: 'string', default: '100000' },
      rounds: { type: 'string', default: '5' },
      only: { type: 'string', multiple: true, default: [] },
      dir: { type: 'string' },
      report: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const unknown = values.only.filter((name) => !ROW_NAMES.some((row) => row === name));
  if (unknown.length > 0) throw new Error(`No such row: ${unknown.join(', ')}; there are ${ROW_NAMES.join(', ')}`);
  return {
    files: positive('--files', values.files),
    rounds: positive('--rounds', values.rounds),
    rows: ROW_NAMES.filter((row) => values.only.length === 0 || values.only.includes(row)),
    dir: values.dir,
    report: values.report,
  };
}

/** Whether a run with these options may stand in the document: what the bars speak of, measured often enough. */
export function isWholeRun({ files, rounds, rows, dir }: BenchOptions): boolean {
  return files === 100_000 && rounds >= 5 && rows.length === ROW_NAMES.length && dir === undefined;
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${flag} takes a whole number from 1, not "${text}"`);
  return value;
}
