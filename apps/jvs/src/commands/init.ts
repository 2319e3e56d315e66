import { join } from 'node:path';
import {
  createLogger,
  interrupted,
  printResult,
  withProgress,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import { currentCaller, requestedEngine } from '../caller.ts';
import { warnOfLosses, warnOfSkipped } from '../warnings.ts';

interface InitArgs extends GlobalArgs {
  name: string;
  import: string | undefined;
}

export const initCommand: CommandModule<GlobalArgs, InitArgs> = {
  command: 'init <name>',
  describe: 'Make a repository in a new directory',
  examples: [
    ['jvs init myrepo', 'an empty repository; work in myrepo/main'],
    ['jvs init myrepo --import ~/data', 'one whose main starts as a copy of ~/data'],
  ],
  completes: { name: null },
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'the new directory' })
      .option('import', { type: 'string', describe: 'copy this directory into main; it stays as it is' }),
  handler: async ({ json, name, import: importFrom, debug }) => {
    const { checkName, initRepository } = await import('@jvs/core-repo');
    checkName('repository', name);
    const log = await createLogger({ debug });
    const { repository, degradations, skipped } = await withProgress((onProgress) =>
      initRepository(join(process.cwd(), name), currentCaller(), {
        importFrom,
        engine: requestedEngine(undefined),
        log,
        onProgress,
        signal: interrupted(),
      }),
    );
    warnOfLosses(degradations);
    if (skipped.length > 0) warnOfSkipped(skipped);
    const { root, id } = repository;
    const imported = importFrom ?? null;
    printResult(
      json,
      { format_version: 1, repo_id: id, repo_root: root, imported, degradations },
      () => `Initialized JVS repository in ${root}\n  Main worktree: ${root}/main`,
    );
  },
};
