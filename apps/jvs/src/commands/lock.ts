import {
  interrupted,
  printResult,
  type CommandGroup,
  type CommandModule,
  type GlobalArgs,
  printable,
} from '@jvs/cli-kit';
import { currentWorktree } from '../caller.ts';
import { execCommand } from './lock-exec.ts';
import { acquireOptions, checkAcquire, lockOptions, type AcquireArgs, type LockArgs } from './lock-flags.ts';

const acquireCommand: CommandModule<GlobalArgs, AcquireArgs> = {
  command: 'acquire',
  describe: 'Become the only writer of the worktree',
  examples: [
    ['jvs lock acquire --purpose "nightly run"', 'take it for five minutes; commands renew it'],
    ['jvs lock acquire --wait 60000', 'keep trying for a minute'],
  ],
  completes: { purpose: null, session: null },
  builder: (yargs) => yargs.options(acquireOptions).check(checkAcquire),
  handler: async ({ json, purpose, leaseMs, wait, ...flags }) => {
    const { acquireLock } = await import('@jvs/core-repo');
    const worktree = await currentWorktree(flags);
    const lease = await acquireLock(worktree, {
      purpose,
      leaseDurationMs: leaseMs,
      waitMs: wait,
      signal: interrupted(),
    });
    printResult(json, lease, () =>
      [
        `Lock acquired on worktree '${worktree.name}'`,
        `  Session: ${lease.lock.session_id}`,
        `  Fencing token: ${lease.lock.fencing_token}`,
        `  Expires: ${lease.expires_at}`,
      ].join('\n'),
    );
  },
};

const statusCommand: CommandModule<GlobalArgs, LockArgs> = {
  command: 'status',
  describe: 'Show who holds the lock, and until when',
  builder: (yargs) => yargs.options(lockOptions),
  handler: async ({ json, ...flags }) => {
    const { lockStatus } = await import('@jvs/core-repo');
    const worktree = await currentWorktree(flags);
    const report = await lockStatus(worktree);
    printResult(json, report, () => {
      const lines = [`Worktree: ${worktree.name}`, `Lock state: ${report.state}`];
      const { lock } = report;
      if (lock === null) return lines.join('\n');
      lines.push(`  Holder: ${lock.holder_id}${report.mine ? ' (mine)' : ''}`, `  Session: ${lock.session_id}`);
      if (lock.purpose !== null) lines.push(`  Purpose: ${printable(lock.purpose)}`);
      lines.push(
        `  Fencing token: ${lock.fencing_token}`,
        `  Expires: ${report.expires_at ?? 'unknown'}`,
        `  Taking over: ${lock.max_clock_skew_ms} ms skew and ${lock.steal_grace_ms} ms grace after that`,
      );
      return lines.join('\n');
    });
  },
};

const renewCommand: CommandModule<GlobalArgs, LockArgs> = {
  command: 'renew',
  describe: 'Start the lease anew',
  builder: (yargs) => yargs.options(lockOptions),
  handler: async ({ json, ...flags }) => {
    const { renewLock } = await import('@jvs/core-repo');
    const lease = await renewLock(await currentWorktree(flags));
    printResult(json, lease, () => `Lock renewed, expires: ${lease.expires_at}`);
  },
};

interface ReleaseArgs extends LockArgs {
  force: boolean;
  reason: string | undefined;
}

const releaseCommand: CommandModule<GlobalArgs, ReleaseArgs> = {
  command: 'release',
  describe: 'Give the lock back',
  examples: [["jvs lock release --force --reason 'build7 was switched off'", "another's lock, on the record"]],
  completes: { reason: null, session: null },
  builder: (yargs) =>
    yargs
      .option('force', { type: 'boolean', default: false, describe: "release another's lock; needs --reason" })
      .option('reason', { type: 'string', describe: 'why; it goes into the audit log' })
      .options(lockOptions),
  handler: async ({ json, force, reason, ...flags }) => {
    const { releaseLock } = await import('@jvs/core-repo');
    const result = await releaseLock(await currentWorktree(flags), { force, reason });
    printResult(json, result, () => `Lock released on worktree '${result.worktree}'`);
  },
};

export const lockCommands: CommandGroup = {
  command: 'lock',
  describe: 'Be the only writer of a worktree',
  commands: [acquireCommand, statusCommand, renewCommand, releaseCommand, execCommand],
};
