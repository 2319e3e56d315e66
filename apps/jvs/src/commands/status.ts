import { colorsFor, interrupted, printResult, withProgress, type CommandModule, type GlobalArgs } from '@jvs/cli-kit';
import type { WorktreeStatus } from '@jvs/core-repo';
import { currentWorktree } from '../caller.ts';

interface StatusArgs extends GlobalArgs {
  short: boolean;
  'exit-code': boolean;
  worktree: string | undefined;
}

export const statusCommand: CommandModule<GlobalArgs, StatusArgs> = {
  command: 'status',
  describe: 'Show what changed since the head, and the lock',
  examples: [['jvs status --exit-code --quiet', 'for scripts: 1 when something changed']],
  builder: (yargs) =>
    yargs
      .option('short', { type: 'boolean', default: false, describe: 'only the changed paths' })
      .option('exit-code', { type: 'boolean', default: false, describe: 'exit with 1 if anything changed' })
      .option('worktree', { type: 'string', describe: 'the worktree, where it is not the current one' }),
  handler: async ({ json, short, exitCode, ...flags }) => {
    const { status } = await import('@jvs/core-repo');
    const worktree = await currentWorktree(flags);
    const result = await withProgress((onProgress) => status(worktree, { signal: interrupted(), onProgress }));
    printResult(json, result, () => (short ? changesOf(result).join('\n') : describe(result)));
    if (exitCode && !result.clean) process.exitCode = 1;
  },
};

function describe(result: WorktreeStatus): string {
  const { totals } = result;
  const lines = [
    `Worktree: ${result.worktree}`,
    `Head: ${result.head_snapshot_id ?? '(none)'}`,
    `Lock: ${result.lock_state}${result.mine ? ' (mine)' : ''}`,
  ];
  if (result.pending !== null) lines.push(`Pending: ${result.pending.op}`);
  if (result.clean) return [...lines, 'Nothing changed since the head.'].join('\n');
  const counts = [
    `${totals.added} added`,
    `${totals.removed} removed`,
    `${totals.modified} modified`,
    `${totals.mode_changed} mode changed`,
    `${totals.type_changed} type changed`,
  ].filter((count) => !count.startsWith('0 '));
  return [...lines, '', ...changesOf(result), '', `${counts.join(', ')}.`].join('\n');
}

function changesOf({ added, removed, modified, mode_changed, type_changed }: WorktreeStatus): string[] {
  const { green, red, yellow, cyan } = colorsFor('stdout');
  const marked = (paths: readonly string[], mark: string): (readonly [string, string])[] =>
    paths.map((path) => [path, mark]);
  return [
    ...marked(added, green('+')),
    ...marked(removed, red('-')),
    ...marked(modified, yellow('~')),
    ...marked(mode_changed, cyan('m')),
    ...marked(type_changed, cyan('t')),
  ]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, mark]) => `${mark} ${path}`);
}
