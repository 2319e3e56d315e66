import { interrupted, printResult, UsageError, withProgress, type CommandModule, type GlobalArgs } from '@jvs/cli-kit';
import { currentRepository, currentWorktree, namedSnapshot } from '../caller.ts';
import { warnOfIntruders, warnOfLosses } from '../warnings.ts';
import { documentOf } from './worktree.ts';

interface ForkArgs extends GlobalArgs {
  name: string;
  id: string | undefined;
  count: number | undefined;
  verify: boolean;
}

export const forkCommand: CommandModule<GlobalArgs, ForkArgs> = {
  command: 'fork [id] <name>',
  describe: 'Make worktrees from a snapshot, by default the head',
  examples: [
    ['jvs fork experiment', 'the head of this worktree, to work on beside it'],
    ['jvs fork release-7 agent -n 8', 'agent-1 to agent-8, all from one snapshot'],
  ],
  completes: { id: 'snapshot', name: null },
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', describe: 'a snapshot: id, start of one, HEAD~n, ref (default: HEAD)' })
      .positional('name', { type: 'string', demandOption: true, describe: 'of the new worktree' })
      .option('count', { alias: 'n', type: 'number', describe: 'make so many: <name>-1, <name>-2, …' })
      .option('verify', { type: 'boolean', default: false, describe: 'read and check every byte of the result' })
      .check(({ count }) => {
        const isCount = count === undefined || (Number.isInteger(count) && count > 0 && count <= 10_000);
        if (!isCount) throw new UsageError('-n is a whole number from 1 to 10000');
        return true;
      }),
  handler: async ({ json, count, verify, debug, ...args }) => {
    const { fork } = await import('@jvs/core-repo');
    // The parser fills what must be there first, and here that comes last.
    const [id, name] = args.id === undefined ? [undefined, args.name] : [args.name, args.id];
    const here = id === undefined ? await currentWorktree({ debug }) : undefined;
    const r = here?.repository ?? (await currentRepository({ debug }));
    const from = id === undefined ? undefined : await namedSnapshot(r, id);
    const { snapshot_id: snapshotId, worktrees } = await withProgress((onProgress) =>
      fork(here ?? r, name, { from, count, verify, onProgress, signal: interrupted() }),
    );
    warnOfLosses([...new Set(worktrees.flatMap(({ degradations }) => degradations))].sort());
    warnOfIntruders(worktrees.flatMap(({ intruders }) => intruders));
    const documents = worktrees.map(documentOf);
    printResult(json, count === undefined ? documents[0] : documents, () =>
      worktrees.map(({ worktree }) => `Forked snapshot ${snapshotId} to worktree '${worktree.name}'`).join('\n'),
    );
  },
};
