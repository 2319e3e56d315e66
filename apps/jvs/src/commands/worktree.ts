import {
  formatTable,
  interrupted,
  printResult,
  withProgress,
  type CommandGroup,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import { currentRepository, currentWorktree, surroundingWorktree } from '../caller.ts';
import { warnOfIntruders, warnOfLosses } from '../warnings.ts';

interface CreateArgs extends GlobalArgs {
  name: string;
  from: string | undefined;
  label: string | undefined;
}

const createCommand: CommandModule<GlobalArgs, CreateArgs> = {
  command: 'create <name>',
  describe: 'Make a worktree, empty or from a snapshot',
  examples: [['jvs worktree create experiment --from HEAD', 'a copy of the newest snapshot to work in']],
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'of the new worktree' })
      .option('from', { type: 'string', describe: 'start from this snapshot' })
      .option('label', { type: 'string', describe: 'what it is for, in a few words' }),
  handler: async ({ json, name, from, label, debug }) => {
    const { createWorktree, resolveSnapshot } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    const id = from === undefined ? undefined : await resolveSnapshot(r, from, await surroundingWorktree(r));
    const { worktree, degradations, intruders } = await withProgress((onProgress) =>
      createWorktree(r, name, { from: id, label, onProgress, signal: interrupted() }),
    );
    warnOfLosses(degradations);
    warnOfIntruders(intruders);
    const { path, config } = worktree;
    printResult(json, { name, path, config, degradations, intruders }, () => `Created worktree '${name}' at ${path}`);
  },
};

const listCommand: CommandModule<GlobalArgs, GlobalArgs> = {
  command: 'list',
  describe: 'List the worktrees with head and lock',
  handler: async ({ json, debug }) => {
    const { listWorktrees } = await import('@jvs/core-repo');
    const worktrees = await listWorktrees(await currentRepository({ debug }));
    printResult(json, worktrees, () =>
      formatTable(
        worktrees.map(({ name, head_snapshot_id: head, config, lock_state: lock, pending }) => [
          name,
          head ?? '(none)',
          config.isolation,
          lock,
          ...(pending === null ? [] : [`(${pending.op} pending)`]),
        ]),
      ),
    );
  },
};

interface PathArgs extends GlobalArgs {
  name: string | undefined;
}

const pathCommand: CommandModule<GlobalArgs, PathArgs> = {
  command: 'path [name]',
  describe: 'Print where a worktree lies',
  examples: [['cd "$(jvs worktree path experiment)"', 'go there']],
  builder: (yargs) => yargs.positional('name', { type: 'string', describe: 'the worktree (default: the current one)' }),
  handler: async ({ json, name, debug }) => {
    const worktree = await currentWorktree({ debug, worktree: name });
    printResult(json, { name: worktree.name, path: worktree.path }, () => worktree.path);
  },
};

export const worktreeCommands: CommandGroup = {
  command: 'worktree',
  aliases: ['wt'],
  describe: 'Work in several trees of one repository',
  commands: [createCommand, listCommand, pathCommand],
};
