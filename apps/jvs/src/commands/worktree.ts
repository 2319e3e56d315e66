import {
  formatTable,
  interrupted,
  printResult,
  withProgress,
  type CommandGroup,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { CreatedWorktree } from '@jvs/core-repo';
import { currentRepository, currentWorktree, namedSnapshot } from '../caller.ts';
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
  completes: { name: null, from: 'snapshot', label: null },
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'of the new worktree' })
      .option('from', { type: 'string', describe: 'start from this snapshot' })
      .option('label', { type: 'string', describe: 'what it is for, in a few words' }),
  handler: async ({ json, name, from, label, debug }) => {
    const { createWorktree } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    const id = from === undefined ? undefined : await namedSnapshot(r, from);
    const created = await withProgress((onProgress) =>
      createWorktree(r, name, { from: id, label, onProgress, signal: interrupted() }),
    );
    warnOfLosses(created.degradations);
    warnOfIntruders(created.intruders);
    printResult(json, documentOf(created), () => `Created worktree '${name}' at ${created.worktree.path}`);
  },
};

/** A new worktree as `--json` shows it. */
export function documentOf({ worktree, degradations, intruders }: CreatedWorktree): Record<string, unknown> {
  const { name, path, config } = worktree;
  return { name, path, config, degradations, intruders };
}

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
  completes: { name: 'worktree' },
  builder: (yargs) => yargs.positional('name', { type: 'string', describe: 'the worktree (default: the current one)' }),
  handler: async ({ json, name, debug }) => {
    const worktree = await currentWorktree({ debug, worktree: name });
    printResult(json, { name: worktree.name, path: worktree.path }, () => worktree.path);
  },
};

interface RenameArgs extends GlobalArgs {
  old: string;
  new: string;
}

const renameCommand: CommandModule<GlobalArgs, RenameArgs> = {
  command: 'rename <old> <new>',
  describe: 'Give a worktree without a lock another name',
  examples: [['jvs worktree rename experiment keeper', 'its directory moves with it']],
  completes: { old: 'worktree', new: null },
  builder: (yargs) =>
    yargs
      .positional('old', { type: 'string', demandOption: true, describe: 'the worktree' })
      .positional('new', { type: 'string', demandOption: true, describe: 'its new name' }),
  handler: async ({ json, old, new: name, debug }) => {
    const { renameWorktree } = await import('@jvs/core-repo');
    const renamed = await renameWorktree(await currentRepository({ debug }), old, name);
    warnOfIntruders(renamed.intruders);
    printResult(json, renamed, () => `Renamed worktree '${old}' to '${name}'`);
  },
};

interface RemoveArgs extends GlobalArgs {
  name: string;
  force: boolean;
  discard: boolean;
  'dry-run': boolean;
}

const removeCommand: CommandModule<GlobalArgs, RemoveArgs> = {
  command: 'remove <name>',
  describe: 'Remove a worktree without a lock; its snapshots stay',
  examples: [
    ['jvs worktree remove experiment', 'refused where changes are in no snapshot'],
    ['jvs worktree remove experiment --force --discard', 'whatever it holds, and at once'],
  ],
  completes: { name: 'worktree' },
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'the worktree' })
      .option('force', { type: 'boolean', default: false, describe: 'also with changes that are in no snapshot' })
      .option('discard', { type: 'boolean', default: false, describe: 'do not keep its tree for a day' })
      .option('dry-run', { type: 'boolean', default: false, describe: 'only look whether it could be removed' }),
  handler: async ({ json, name, force, discard, dryRun, debug }) => {
    const { removeWorktree } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    const removed = await withProgress((onProgress) =>
      removeWorktree(r, name, { force, discard, dryRun, onProgress, signal: interrupted() }),
    );
    const { kept } = removed;
    const done = [
      `Removed worktree '${name}'`,
      ...(kept === null ? [] : [`Tree kept until ${kept.until}: ${kept.path}`]),
    ];
    printResult(json, dryRun ? { ...removed, dry_run: true } : removed, () =>
      dryRun ? `Would remove: worktree '${name}'` : done.join('\n'),
    );
  },
};

export const worktreeCommands: CommandGroup = {
  command: 'worktree',
  aliases: ['wt'],
  describe: 'Work in several trees of one repository',
  commands: [createCommand, listCommand, pathCommand, renameCommand, removeCommand],
};
