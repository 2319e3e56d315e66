import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isThereNow, syncDirectory } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import type { PendingOperation, StateRecord } from '@jvs/lock-lease';
import type { Ending } from './end-operation.ts';
import { move, moveIntoPlace, SupersededError } from './op-directory.ts';
import { holdsName, type WorktreeIdentity } from './worktree.ts';

/** An operation that is to be brought to its end, by its author or by whoever has claimed it. */
export interface OperationTask<Op extends PendingOperation['op'] = PendingOperation['op']> {
  w: WorktreeIdentity;
  /** The state record that says it is pending. */
  record: StateRecord;
  pending: Extract<PendingOperation, { op: Op }>;
  /** Its directory, by the name under which this mover has it. */
  op: string;
  /** What lay in there. */
  inside: ReadonlySet<string>;
  /** Whether the snapshot that it would make a root is being deleted. */
  isRefused: boolean;
}

/**
 * Judges by what lies in the operation's directory, makes the moves that are left, and returns what is to be recorded.
 * Author and settlers call the same function, so it may start from wherever another mover got to. @throws SupersededError when another has claimed it
 */
export async function makeMoves(task: OperationTask): Promise<Ending> {
  const { pending } = task;
  switch (pending.op) {
    case 'create':
    case 'unclaim':
      return await finishCreate({ ...task, pending });
    case 'restore':
      return await finishRestore({ ...task, pending });
    case 'rename':
      return await finishRename({ ...task, pending });
    case 'remove':
      return await finishRemove({ ...task, pending });
  }
}

async function finishCreate(task: OperationTask<'create' | 'unclaim'>): Promise<Ending> {
  const { w, record, pending, op, inside, isRefused } = task;
  const { layout } = w.repository;
  if (isRefused || pending.op === 'unclaim' || inside.has('meta')) {
    if (!inside.has('meta')) await takeName(task, record.worktree, 'meta');
    return { kind: 'remove' };
  }
  if (inside.has('new')) await moveIntoPlace(op, 'new', layout.payload(record.worktree));
  failpoint('create:payload');
  return { kind: 'end' };
}

async function finishRestore({ w, record, pending, op, inside, isRefused }: OperationTask<'restore'>): Promise<Ending> {
  const path = w.repository.layout.payload(record.worktree);
  if (isRefused && inside.has('old')) await moveIntoPlace(op, 'old', path);
  if (isRefused || !inside.has('old')) return { kind: 'end' };
  if (inside.has('new')) await moveIntoPlace(op, 'new', path);
  failpoint('restore:new');
  return { kind: 'end', head_snapshot_id: pending.snapshot_id, reason: pending.reason };
}

async function finishRename(task: OperationTask<'rename'>): Promise<Ending> {
  const { w, pending, op, inside } = task;
  const { layout } = w.repository;
  const { from, to } = pending;
  const undone: Ending = { kind: 'end', worktree: from };
  if (inside.has('meta') && !inside.has('payload')) return undone;
  if (inside.has('meta')) {
    if (!(await claimName(op, layout.worktreeMeta(to)))) {
      await moveIntoPlace(op, 'payload', layout.payload(from));
      return undone;
    }
    failpoint('rename:claim');
  }
  if (inside.has('payload')) await moveIntoPlace(op, 'payload', layout.payload(to));
  failpoint('rename:arrive');
  if (!inside.has('oldmeta')) await takeName(task, from, 'oldmeta');
  failpoint('rename:oldmeta');
  return { kind: 'end', worktree: to };
}

async function finishRemove(task: OperationTask<'remove'>): Promise<Ending> {
  const { record, inside } = task;
  if (inside.size === 0) return { kind: 'end' };
  if (!inside.has('meta')) await takeName(task, record.worktree, 'meta');
  failpoint('remove:metadata');
  return { kind: 'remove' };
}

/** Claims a name by moving `meta` there; false when another worktree has it. Such a directory is never empty. */
export async function claimName(op: string, name: string): Promise<boolean> {
  const meta = join(op, 'meta');
  try {
    await rename(meta, name);
  } catch (error) {
    if (!(await isThereNow(op))) throw new SupersededError();
    if (await isThereNow(meta)) {
      if (hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) return false;
      throw error;
    }
  }
  await syncDirectory(join(name, '..'));
  return true;
}

/** Gives a name back by moving its metadata into the op directory, unless it is another worktree's by now. */
async function takeName({ w, op }: Pick<OperationTask, 'w' | 'op'>, name: string, as: string): Promise<void> {
  if (await holdsName(w, name)) await move(op, w.repository.layout.worktreeMeta(name), join(op, as));
}
