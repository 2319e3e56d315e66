import { ProgressLine } from './progress-line.ts';
import { keepHeapSmall } from './small-heap.ts';
import { setStatusLine, terminal } from './terminal.ts';

/** What long work tells while it goes on; facts, no text. Sizes in bytes. */
export type ProgressEvent =
  /** A stage begins, and counts start again at zero. */
  | { type: 'phase'; phase: string }
  /** How much there is to do in this stage, as soon as it is known. */
  | { type: 'planned'; files?: number; bytes?: number }
  /** How much more has been done since the last event. */
  | { type: 'advanced'; files?: number; bytes?: number };

export type OnProgress = (event: ProgressEvent) => void;

/**
 * Runs `work` and shows what it reports on stderr: a status line on a terminal that is not dumb, a JSON line an event with
 * `--progress=json`, nothing otherwise or with `--quiet`. The status line is gone when the promise settles. Such work
 * goes through trees, so the heap is kept small.
 */
export async function withProgress<Result>(work: (onProgress: OnProgress) => Promise<Result>): Promise<Result> {
  const { progress, quiet } = terminal();
  await keepHeapSmall();
  if (quiet) return work(() => {});
  if (progress === 'json') return work((event) => void process.stderr.write(`${JSON.stringify(event)}\n`));
  // What cannot take a line away again gets none.
  if (!process.stderr.isTTY || process.env['TERM'] === 'dumb') return work(() => {});
  const line = new ProgressLine(process.stderr);
  setStatusLine(() => line.clear());
  try {
    return await work((event) => line.show(event));
  } finally {
    setStatusLine(undefined);
    line.clear();
  }
}
