import { interrupted, printResult, withProgress, type CommandModule, type GlobalArgs } from '@jvs/cli-kit';
import type { Diff, Repository, Worktree } from '@jvs/core-repo';
import { currentRepository, currentWorktree, namedSnapshot } from '../caller.ts';
import { changeLines, statLines, totalsLine } from '../changes-view.ts';

interface DiffArgs extends GlobalArgs {
  a: string | undefined;
  b: string | undefined;
  stat: boolean;
  'exit-code': boolean;
  worktree: string | undefined;
}

export const diffCommand: CommandModule<GlobalArgs, DiffArgs> = {
  command: 'diff [a] [b]',
  describe: 'Show what differs between two snapshots, or a snapshot and the payload',
  examples: [
    ['jvs diff', 'the head against what is in the worktree now'],
    ['jvs diff HEAD~1 HEAD --stat', 'what the newest snapshot changed, with sizes'],
  ],
  completes: { a: 'snapshot', b: 'snapshot' },
  builder: (yargs) =>
    yargs
      .positional('a', { type: 'string', describe: 'a snapshot (default: the head)' })
      .positional('b', { type: 'string', describe: 'another snapshot (default: the payload)' })
      .option('stat', { type: 'boolean', default: false, describe: 'show the sizes before and after' })
      .option('exit-code', { type: 'boolean', default: false, describe: 'exit with 1 if anything differs' })
      .option('worktree', { type: 'string', describe: 'the worktree, where it is not the current one' }),
  handler: async ({ json, a, b, stat, exitCode, ...flags }) => {
    const { diff } = await import('@jvs/core-repo');
    const { r, from, to } = b === undefined ? await againstPayload(a, flags) : await ofTwo(a ?? '', b, flags);
    const result = await withProgress((onProgress) => diff(r, from, to, { stat, onProgress, signal: interrupted() }));
    printResult(json, result, () => describe(result));
    if (exitCode && !isEmpty(result)) process.exitCode = 1;
  },
};

type WorktreeFlags = Parameters<typeof currentWorktree>[0];

interface Sides {
  r: Repository;
  from: string | Worktree;
  to: string | Worktree;
}

async function againstPayload(a: string | undefined, flags: WorktreeFlags): Promise<Sides> {
  const w = await currentWorktree(flags);
  const r = w.repository;
  return { r, from: a === undefined ? w : await namedSnapshot(r, a, w), to: w };
}

async function ofTwo(a: string, b: string, flags: WorktreeFlags): Promise<Sides> {
  const r = await currentRepository(flags);
  const w = flags.worktree === undefined ? undefined : await currentWorktree(flags);
  return { r, from: await namedSnapshot(r, a, w), to: await namedSnapshot(r, b, w) };
}

function describe(result: Diff): string {
  if (isEmpty(result)) return 'Nothing differs.';
  const lines = result.stat === undefined ? changeLines(result) : statLines(result.stat);
  return [...lines, '', totalsLine(result)].join('\n');
}

function isEmpty({ added, removed, modified, mode_changed: modes, type_changed: types }: Diff): boolean {
  return [added, removed, modified, modes, types].every((paths) => paths.length === 0);
}
