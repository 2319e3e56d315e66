import { interrupted, printResult, withProgress, type CommandModule, type GlobalArgs } from '@jvs/cli-kit';
import type { WorktreeStatus } from '@jvs/core-repo';
import { currentWorktree } from '../caller.ts';
import { changedPaths, changeLines, totalsLine } from '../changes-view.ts';

interface StatusArgs extends GlobalArgs {
  short: boolean;
  'exit-code': boolean;
  worktree: string | undefined;
}

export const statusCommand: CommandModule<GlobalArgs, StatusArgs> = {
  command: 'status',
  describe: 'Show what changed since the head, and the lock',
  examples: [['jvs status --exit-code > /dev/null', 'for scripts: 1 when something changed']],
  builder: (yargs) =>
    yargs
      .option('short', { type: 'boolean', default: false, describe: 'only the changed paths' })
      .option('exit-code', { type: 'boolean', default: false, describe: 'exit with 1 if anything changed' })
      .option('worktree', { type: 'string', describe: 'the worktree, where it is not the current one' }),
  handler: async ({ json, short, exitCode, ...flags }) => {
    const { status } = await import('@jvs/core-repo');
    const worktree = await currentWorktree(flags);
    const result = await withProgress((onProgress) => status(worktree, { signal: interrupted(), onProgress }));
    printResult(json, result, () => (short ? changedPaths(result).join('\n') : describe(result)));
    if (exitCode && !result.clean) process.exitCode = 1;
  },
};

function describe(result: WorktreeStatus): string {
  const lines = [
    `Worktree: ${result.worktree}`,
    `Head: ${result.head_snapshot_id ?? '(none)'}`,
    `Lock: ${result.lock_state}${result.mine ? ' (mine)' : ''}`,
  ];
  if (result.pending !== null) lines.push(`Pending: ${result.pending.op}`);
  if (result.clean) return [...lines, 'Nothing changed since the head.'].join('\n');
  return [...lines, '', ...changeLines(result), '', totalsLine(result)].join('\n');
}
