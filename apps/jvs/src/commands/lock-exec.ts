import {
  exitingWith,
  interrupted,
  printWarning,
  statusOf,
  UsageError,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import { hasCode } from '@jvs/platform/errors';
import { currentWorktree } from '../caller.ts';
import { acquireOptions, checkAcquire, type AcquireArgs } from './lock-flags.ts';

interface ExecArgs extends AcquireArgs {
  cmd: string[];
}

/** The lock could not be had, or was lost; as `timeout` and `docker run` report a failure of their own. */
const NO_LOCK = 125;

export const execCommand: CommandModule<GlobalArgs, ExecArgs> = {
  command: 'exec <cmd..>',
  describe: 'Run a command as the only writer, and renew the lock meanwhile',
  examples: [
    ['jvs lock exec -- make test', "everything after -- is the command's; its exit code is returned"],
    ["jvs lock exec --wait 60000 -- sh -c 'make && jvs snapshot built'", 'snapshots inside use the same lock'],
  ],
  builder: (yargs) =>
    yargs
      .positional('cmd', { type: 'string', array: true, demandOption: true, describe: 'what to run, after --' })
      .options({
        ...acquireOptions,
        session: { type: 'string', describe: 'name the session that the command gets after this one' },
      })
      .check(checkAcquire)
      .check(({ cmd }) => {
        const dashes = process.argv.indexOf('--');
        if (dashes < 0 || process.argv.length - dashes - 1 !== cmd.length) {
          throw new UsageError('The command stands after --, as in: jvs lock exec -- make test');
        }
        return true;
      }),
  handler: async ({ cmd, purpose, leaseMs, wait, ...flags }) => {
    if (cmd[0] === '') throw new UsageError('The command after -- has an empty name');
    const { withLock } = await import('@jvs/core-repo');
    const { runCommand } = await import('../run-command.ts');
    const signal = interrupted();
    const options = { purpose, leaseDurationMs: leaseMs, waitMs: wait, signal };
    try {
      const worktree = await currentWorktree(flags);
      process.exitCode = await withLock(
        worktree,
        async ({ lock }, lost) => {
          signal.throwIfAborted();
          lost.addEventListener('abort', () => printWarning('the lock is lost; the command has been told to end'));
          const ours = {
            JVS_SESSION: lock.session_id,
            JVS_FENCING_TOKEN: String(lock.fencing_token),
            JVS_WORKTREE: worktree.name,
          };
          return await runCommand(cmd, { env: { ...process.env, ...ours }, end: lost });
        },
        options,
      );
    } catch (error) {
      throw withStatus(error);
    }
  },
};

/** A wrong line and a command that could not be started keep their own status. */
function withStatus(error: unknown): Error {
  const failure = error instanceof Error ? error : new Error(String(error));
  return hasCode(failure, 'E_USAGE') || statusOf(failure) !== undefined ? failure : exitingWith(NO_LOCK, failure);
}
