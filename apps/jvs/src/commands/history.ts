import {
  printable,
  printFailedResult,
  printResult,
  UsageError,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { HistoryEntry } from '@jvs/core-repo';
import { currentRepository, currentWorktree } from '../caller.ts';

interface HistoryArgs extends GlobalArgs {
  limit: number | undefined;
  all: boolean;
  grep: string | undefined;
  tag: string | undefined;
  worktree: string | undefined;
}

export const historyCommand: CommandModule<GlobalArgs, HistoryArgs> = {
  command: 'history',
  describe: 'List the snapshots of the worktree, newest first',
  examples: [
    ['jvs history -n 5', 'the newest five'],
    ['jvs history --all --grep migration', 'of every worktree, by their notes'],
  ],
  builder: (yargs) =>
    yargs
      .option('limit', { alias: 'n', type: 'number', describe: 'at most so many' })
      .option('all', { type: 'boolean', default: false, describe: 'every worktree, removed ones too' })
      .option('grep', { type: 'string', describe: 'only notes that match this regular expression' })
      .option('tag', { type: 'string', describe: 'only snapshots with this tag' })
      .option('worktree', { type: 'string', describe: 'the worktree, where it is not the current one' })
      .check(({ limit }) => {
        if (limit !== undefined && (!Number.isInteger(limit) || limit < 0))
          throw new UsageError('--limit is a whole number');
        return true;
      }),
  handler: async ({ json, limit, all, grep, tag, worktree, debug }) => {
    const { history, wholeHistory } = await import('@jvs/core-repo');
    const options = { limit, grep, tag };
    const entries = all
      ? wholeHistory(await currentRepository({ debug }), options)
      : history(await currentWorktree({ debug, worktree }), options);
    const found: HistoryEntry[] = [];
    const human = (): string => found.map(lineOf).join('\n');
    try {
      for await (const entry of entries) found.push(entry);
    } catch (error) {
      // What could be read is shown before the gap is told of.
      if (!(error instanceof Error) || found.length === 0) throw error;
      printFailedResult(json, { snapshots: found }, human, error);
      return;
    }
    const isFiltered = grep !== undefined || tag !== undefined || limit === 0;
    const none = isFiltered ? 'No snapshot matches.' : 'No snapshots yet.';
    printResult(json, found, () => (found.length === 0 ? none : human()));
  },
};

function lineOf({ snapshot_id: id, created_at: at, note, tags, risk_labels: labels }: HistoryEntry): string {
  const title = note.split('\n', 1)[0] ?? '';
  const marks = [...tags, ...labels].map((mark) => ` [${printable(mark)}]`).join('');
  return `${id}  ${at.slice(0, 10)} ${at.slice(11, 16)}  ${title === '' ? '(no note)' : printable(title)}${marks}`;
}
