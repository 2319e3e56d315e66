import { readFile } from 'node:fs/promises';
import {
  interrupted,
  printResult,
  printWarning,
  UsageError,
  withProgress,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import { currentWorktree, requestedEngine } from '../caller.ts';
import { warnOfLosses, warnOfSkipped } from '../warnings.ts';

interface SnapshotArgs extends GlobalArgs {
  note: string | undefined;
  tag: string[];
  consistency: 'quiesced' | 'best_effort';
  file: string | undefined;
  engine: string | undefined;
  rehash: boolean;
  'strict-metadata': boolean;
  lock: boolean;
  worktree: string | undefined;
}

export const snapshotCommand: CommandModule<GlobalArgs, SnapshotArgs> = {
  command: 'snapshot [note]',
  describe: 'Snapshot the current worktree',
  examples: [
    ['jvs snapshot "before the migration"', 'all of the worktree, published at once'],
    ['jvs snapshot --tag release-7 -F notes.txt', 'with a tag, the note from a file'],
  ],
  completes: { note: null },
  builder: (yargs) =>
    yargs
      .positional('note', { type: 'string', describe: 'what changed, in a few words; - reads it from stdin' })
      .option('tag', { type: 'string', array: true, default: [], describe: 'attach a tag (can be repeated)' })
      .option('consistency', {
        choices: ['quiesced', 'best_effort'] as const,
        default: 'quiesced' as const,
        describe: 'refuse a worktree that changes meanwhile, or take it as it comes',
      })
      .option('file', { alias: 'F', type: 'string', describe: 'read the note from this file' })
      .option('engine', { type: 'string', describe: 'copy with this engine (default: the cheapest that works)' })
      .option('rehash', {
        type: 'boolean',
        default: false,
        describe: 'read every byte, not only files that changed since the last snapshot',
      })
      .option('strict-metadata', { type: 'boolean', default: false, describe: 'fail if the copy would lose anything' })
      .option('lock', { type: 'boolean', default: false, describe: 'take the lock for this command alone' })
      .option('worktree', { type: 'string', describe: 'the worktree, where it is not the current one' })
      .check(({ note, file }) => {
        if (note !== undefined && file !== undefined)
          throw new UsageError('The note is given twice, on the line and with -F');
        return true;
      }),
  handler: async ({ json, note, tag, consistency, file, engine, rehash, strictMetadata, lock, ...flags }) => {
    const { createSnapshot } = await import('@jvs/core-repo');
    const text = await readNote(note, file);
    const worktree = await currentWorktree(flags);
    const snapshot = await withProgress((onProgress) =>
      createSnapshot(worktree, {
        note: text,
        tags: tag,
        consistency,
        engine: requestedEngine(engine),
        rehash,
        strictMetadata,
        lock,
        onSkipped: warnOfSkipped,
        onLockRenewed: (held) =>
          printWarning(`the lease was over; taken up again with token ${held.lock.fencing_token}`),
        onProgress,
        signal: interrupted(),
      }),
    );
    warnOfLosses(snapshot.degradations);
    printResult(json, snapshot, () => `Created snapshot ${snapshot.snapshot_id}`);
  },
};

/** The text of the note: as given, or read from a file or from standard input (`-`). */
async function readNote(note: string | undefined, file: string | undefined): Promise<string | undefined> {
  const source = note === '-' ? '-' : file;
  if (source === undefined) return note;
  const signal = interrupted();
  const read = source === '-' ? readStdin(signal) : readFile(source, { encoding: 'utf8', signal });
  return (await read).replace(/\n$/, '');
}

/** Whoever types it, or the program behind a pipe, may never end; an interruption does. */
async function readStdin(signal: AbortSignal): Promise<string> {
  const { text } = await import('node:stream/consumers');
  const { addAbortSignal } = await import('node:stream');
  return await text(addAbortSignal(signal, process.stdin));
}
