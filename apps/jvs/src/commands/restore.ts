import { Buffer } from 'node:buffer';
import {
  interrupted,
  printResult,
  printWarning,
  UsageError,
  withProgress,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { Restored, RestoredInPlace, RestoredPaths } from '@jvs/core-repo';
import { currentRepository, currentWorktree, namedSnapshot } from '../caller.ts';
import { warnOfIntruders, warnOfLosses } from '../warnings.ts';

interface RestoreArgs extends GlobalArgs {
  id: string;
  name: string | undefined;
  verify: boolean;
  path: string[];
  to: string | undefined;
  inplace: boolean;
  force: boolean;
  reason: string | undefined;
  discard: boolean;
  'no-verify': boolean;
  lock: boolean;
  'dry-run': boolean;
  worktree: string | undefined;
}

export const restoreCommand: CommandModule<GlobalArgs, RestoreArgs> = {
  command: 'restore <id>',
  describe: 'Restore a snapshot: as a new worktree, in part, or in place',
  examples: [
    ['jvs restore HEAD~1', 'the one before the newest, beside what is there'],
    ['jvs restore 1771578748123-0a1b2c3d --name before --verify', 'under a name, every byte checked'],
    ['jvs restore HEAD --path src/main.c --path docs --to /tmp/old', 'a file and a directory out of it'],
    ["jvs restore HEAD~3 --inplace --force --reason 'bad import'", 'replace the current worktree'],
  ],
  completes: { id: 'snapshot', name: null, reason: null },
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', demandOption: true, describe: 'a snapshot: id, start of one, HEAD~n, ref' })
      .option('name', { type: 'string', describe: 'of the new worktree (default: from id and time)' })
      .option('verify', { type: 'boolean', default: false, describe: 'read and check every byte of the result' })
      .option('path', { type: 'string', array: true, default: [], describe: 'only this path (can be repeated)' })
      .option('to', { type: 'string', describe: 'with --path: a directory to be made' })
      .option('inplace', { type: 'boolean', default: false, describe: 'replace the worktree; needs its lock' })
      .option('force', { type: 'boolean', default: false, describe: 'in place: yes, replace it' })
      .option('reason', { type: 'string', describe: 'in place: why; it goes into the audit log' })
      .option('discard', { type: 'boolean', default: false, describe: 'in place: do not keep the old tree for a day' })
      .option('no-verify', { type: 'boolean', default: false, describe: 'in place: do not read the contents before' })
      .option('lock', { type: 'boolean', default: false, describe: 'in place: take the lock for this command alone' })
      .option('dry-run', { type: 'boolean', default: false, describe: 'in place: only tell what would change' })
      .option('worktree', { type: 'string', describe: 'in place: the worktree, where it is not the current one' })
      .check((args) => checkFlags(args)),
  handler: async (args) => {
    if (args.inplace) await replaceWorktree(args);
    else if (args.path.length > 0) await takeOut(args);
    else await makeWorktree(args);
  },
};

/** Flags that belong to one way of restoring mean nothing in another. */
function checkFlags(args: Record<string, unknown>): true {
  const given = (names: readonly string[]): string | undefined =>
    names.find((name) => args[name] !== undefined && args[name] !== false && args[name] !== '');
  const onlyInPlace = given(['force', 'reason', 'discard', 'no-verify', 'lock', 'dry-run', 'worktree']);
  const hasPaths = (args['path'] as string[]).length > 0;
  if (args['inplace'] !== true) {
    if (onlyInPlace !== undefined) throw new UsageError(`--${onlyInPlace} goes with --inplace only`);
    if (hasPaths !== (args['to'] !== undefined)) throw new UsageError('--path and --to go together');
    if (hasPaths && given(['name', 'verify']) !== undefined)
      throw new UsageError('--path makes no worktree: it goes with --to alone');
    return true;
  }
  const elsewhere = hasPaths ? 'path' : given(['to', 'name', 'verify']);
  if (elsewhere !== undefined) throw new UsageError(`--${elsewhere} does not go with --inplace`);
  if (args['force'] !== true) {
    throw new UsageError('--inplace replaces the worktree: it needs --force', {
      hint: 'Without --inplace the snapshot becomes a new worktree, and nothing is replaced.',
    });
  }
  const { reason } = args;
  if (typeof reason !== 'string' || reason.trim() === '') {
    throw new UsageError('--inplace needs a --reason that is not empty', { hint: 'It is kept in the audit log.' });
  }
  return true;
}

async function makeWorktree({ json, id, name, verify, debug }: RestoreArgs): Promise<void> {
  const { restore } = await import('@jvs/core-repo');
  const r = await currentRepository({ debug });
  const snapshotId = await namedSnapshot(r, id);
  const restored = await withProgress((onProgress) =>
    restore(r, snapshotId, { name, verify, onProgress, signal: interrupted() }),
  );
  print(
    json,
    restored,
    ({ worktree, path }) => `Restored snapshot ${snapshotId} to new worktree '${worktree}'\n  ${path}`,
  );
}

async function takeOut({ json, id, path, to = '', debug }: RestoreArgs): Promise<void> {
  const { restorePaths } = await import('@jvs/core-repo');
  const r = await currentRepository({ debug });
  const snapshotId = await namedSnapshot(r, id);
  const paths = path.map((each) => Buffer.from(each));
  const restored: RestoredPaths = await withProgress((onProgress) =>
    restorePaths(r, snapshotId, paths, to, { onProgress, signal: interrupted() }),
  );
  print(json, restored, ({ entries, path: made }) => `Restored ${entries} entries of ${snapshotId} to ${made}`);
}

async function replaceWorktree(args: RestoreArgs & { noVerify?: boolean; dryRun?: boolean }): Promise<void> {
  const { json, id, reason = '', discard, noVerify, lock, dryRun, worktree, debug } = args;
  const { restoreInPlace } = await import('@jvs/core-repo');
  const w = await currentWorktree({ debug, worktree });
  const snapshotId = await namedSnapshot(w.repository, id, w);
  const restored = await withProgress((onProgress) =>
    restoreInPlace(w, snapshotId, {
      reason,
      discard,
      verify: noVerify !== true,
      lock,
      dryRun,
      onLockRenewed: (held) => printWarning(`the lease was over; taken up again with token ${held.lock.fencing_token}`),
      onProgress,
      signal: interrupted(),
    }),
  );
  print(json, restored, dryRun === true ? (foreseen) => foresight(foreseen, discard) : describe);
}

function print<R extends Restored>(json: boolean, restored: R, human: (restored: R) => string): void {
  warnOfLosses(restored.degradations);
  warnOfIntruders(restored.intruders);
  printResult(json, restored, () => human(restored));
}

function describe({ snapshot_id: id, worktree, kept, previous_head: head }: RestoredInPlace): string {
  const lines = [`Restored snapshot ${id} to worktree '${worktree}' (inplace)`];
  if (kept !== null) lines.push(`Replaced tree kept until ${kept.until}: ${kept.path}`);
  lines.push('Shells that are in the worktree are still in the replaced tree: cd .');
  if (head !== null && head !== id) lines.push(`To keep the previous head: jvs ref create <name> ${head}`);
  return lines.join('\n');
}

function foresight(restored: RestoredInPlace, discard: boolean): string {
  const { worktree, path, snapshot_id: id, previous_head: head, totals } = restored;
  const counts = Object.entries(totals ?? {})
    .filter(([kind, count]) => !kind.startsWith('bytes') && count > 0)
    .map(([kind, count]) => `${count} ${kind.replace('_', ' ')}`);
  return [
    `Would replace: worktree '${worktree}' by snapshot ${id} (head ${head ?? '(none)'}), ${path}`,
    `Would change: ${counts.length === 0 ? 'nothing' : counts.join(', ')}`,
    discard ? 'Would discard: the replaced tree' : 'Would keep: the replaced tree, for 24 hours',
  ].join('\n');
}
