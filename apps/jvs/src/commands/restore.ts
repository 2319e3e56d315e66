import { interrupted, printResult, withProgress, type CommandModule, type GlobalArgs } from '@jvs/cli-kit';
import { currentRepository, surroundingWorktree } from '../caller.ts';
import { warnOfIntruders, warnOfLosses } from '../warnings.ts';

interface RestoreArgs extends GlobalArgs {
  id: string;
  name: string | undefined;
  verify: boolean;
}

export const restoreCommand: CommandModule<GlobalArgs, RestoreArgs> = {
  command: 'restore <id>',
  describe: 'Restore a snapshot as a new worktree',
  examples: [
    ['jvs restore HEAD~1', 'the one before the newest, beside what is there'],
    ['jvs restore 1771578748123-0a1b2c3d --name before --verify', 'under a name, every byte checked'],
  ],
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', demandOption: true, describe: 'a snapshot: id, start of one, HEAD~n, ref' })
      .option('name', { type: 'string', describe: 'of the new worktree (default: from id and time)' })
      .option('verify', { type: 'boolean', default: false, describe: 'read and check every byte of the result' }),
  handler: async ({ json, id, name, verify, debug }) => {
    const { resolveSnapshot, restore } = await import('@jvs/core-repo');
    const repository = await currentRepository({ debug });
    const snapshotId = await resolveSnapshot(repository, id, await surroundingWorktree(repository));
    const restored = await withProgress((onProgress) =>
      restore(repository, snapshotId, { name, verify, onProgress, signal: interrupted() }),
    );
    warnOfLosses(restored.degradations);
    warnOfIntruders(restored.intruders);
    printResult(
      json,
      restored,
      () => `Restored snapshot ${restored.snapshot_id} to new worktree '${restored.worktree}'\n  ${restored.path}`,
    );
  },
};
