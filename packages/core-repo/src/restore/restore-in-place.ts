import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree, syncTree } from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { scanTree, withTreePool } from '@jvs/platform/tree';
import { cutText, FencingMismatchError, keepLock, readState, type HeldLock, type KeptLock } from '@jvs/lock-lease';
import { SnapshotCondemnedError } from '../audit/audit-log.ts';
import { hasTakenEffect } from '../audit/event-of-state.ts';
import type { OnProgress } from '../progress.ts';
import { UsageError } from '../repository-errors.ts';
import { refuseMounts } from '../snapshot/payload-rules.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { beginOperation, carryOut, type Outcome } from '../worktree/carry-out.ts';
import { WorktreePendingError } from '../worktree/end-operation.ts';
import { recordBeginning } from '../worktree/finish-operation.ts';
import { cleared, discardKept, remainsOf } from '../worktree/kept-tree.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { lockStatus, requireHeldLock } from '../worktree/locking.ts';
import { materialize, type Materialized } from '../worktree/materialize.ts';
import { keepingFresh, makeOpDirectory, move } from '../worktree/op-directory.ts';
import { settleWorktree } from '../worktree/settle.ts';
import { withLock } from '../worktree/with-lock.ts';
import { requireSameFilesystem, type Worktree } from '../worktree/worktree.ts';
import { foreseeRestore } from './foresee-restore.ts';
import type { Restored, RestoredInPlace } from './restore-result.ts';

/** Another command of the same session changed the worktree while its next payload was being prepared. */
export class RestoreOvertakenError extends CodedError {
  readonly code = 'E_HEAD_MOVED';
  constructor(worktree: string) {
    super(`Worktree "${worktree}" changed while the restore was being prepared; nothing was replaced`, {
      hint: 'Another command of the same session was faster. Look at its result, then run the restore again.',
      details: { worktree },
    });
  }
}

export interface RestoreInPlaceOptions {
  /** Why the payload is replaced; kept in the audit log. Not empty. */
  reason: string;
  /** Read the restored contents and compare them before anything is replaced. Default: true. */
  verify?: boolean | undefined;
  /** Delete the replaced tree at once instead of keeping it for a day. */
  discard?: boolean | undefined;
  /** Take the lock for this restore alone, unless the session holds it already. */
  lock?: boolean | undefined;
  /** Only make the checks, and tell what would change. */
  dryRun?: boolean | undefined;
  /** Called when the session's own lease had run out and was taken up again with a new token. */
  onLockRenewed?: ((held: HeldLock) => void) | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

/**
 * Replaces the payload of a worktree by a snapshot, which becomes its head; the caller holds the lock. The new tree is
 * whole, read and durable before the old one moves, and the old one stays for a day.
 * @throws UsageError, LockNotHeldError, FencingMismatchError, NotFoundError, PartialSnapshotError, PayloadMismatchError,
 *   SnapshotCondemnedError, RestoreOvertakenError
 */
export async function restoreInPlace(
  w: Worktree,
  id: string,
  { dryRun, ...options }: RestoreInPlaceOptions,
): Promise<RestoredInPlace> {
  if (options.reason.trim() === '') {
    throw new UsageError('A restore in place needs a reason', {
      hint: 'Add --reason "…"; it is kept in the audit log.',
    });
  }
  if (dryRun === true) return await foreseeRestore(w, id, options);
  if (options.lock !== true || (await lockStatus(w)).mine) return await restoreAsHolder(w, id, options);
  const { signal } = options;
  return await withLock(
    w,
    async ({ worktree }, lost) =>
      restoreAsHolder(worktree, id, {
        ...options,
        signal: signal === undefined ? lost : AbortSignal.any([signal, lost]),
      }),
    { purpose: 'restore', signal },
  );
}

async function restoreAsHolder(w: Worktree, id: string, options: RestoreInPlaceOptions): Promise<RestoredInPlace> {
  const { signal, onLockRenewed } = options;
  let held = await requireHeldLock(w, onLockRenewed);
  if ((await settleWorktree(w, { signal })) !== undefined) held = await requireHeldLock(w, onLockRenewed);
  const kept = keepLock(lockSite(w), held);
  try {
    return await replacePayload(w, id, held, kept, options);
  } finally {
    kept.stop();
  }
}

async function replacePayload(
  w: Worktree,
  id: string,
  held: HeldLock,
  kept: KeptLock,
  { reason, verify, discard, signal: asked, onProgress }: RestoreInPlaceOptions,
): Promise<RestoredInPlace> {
  const { repository: r } = w;
  const signal = asked === undefined ? kept.lost : AbortSignal.any([asked, kept.lost]);
  const descriptor = await requireVisible(r, id);
  await requireReplaceable(w, signal);
  const opId = randomUUID();
  const op = await makeOpDirectory(r, opId);
  let made: Materialized;
  try {
    const contents = verify === false ? 'unread' : 'read';
    made = await keepingFresh(op, () => materialize(r, descriptor, join(op, 'new'), { contents, signal, onProgress }));
    await syncTree(op, signal);
    failpoint('restore:opdir');
    signal.throwIfAborted();
    await kept.check();
  } catch (error) {
    await removeTree(op, r.layout.tmp).catch(() => {});
    throw error;
  }
  const told = cutText(reason);
  const pending = { op: 'restore', op_id: opId, snapshot_id: id, reason: told } as const;
  const begun = await beginOperation(w, held.record, op, { pending, reason: told });
  if (begun === 'lost') throw await overtaken(w, held);
  failpoint('restore:begin');
  const word = { details: { integrity: made.content } };
  const isRefused = (await recordBeginning(r, begun, word)) === 'refused';
  failpoint('restore:audit');
  const firstMove = async (): Promise<void> => {
    if (isRefused) return;
    // From here on a lost lock leaves the rest to whoever took it, who finds the operation and settles it.
    await kept.check();
    await move(op, w.path, join(op, 'old'));
    failpoint('restore:old');
  };
  const outcome = await carryOut(w, { begun, op, isRefused, firstMove, word }).catch(async (error: unknown) => {
    throw hasCode(error, 'E_WORKTREE_PENDING') ? await overtaken(w, held) : error;
  });
  failpoint('restore:end');
  if (!hasTakenEffect(outcome.ended, begun)) {
    if (outcome.op !== undefined) await cleared(r, outcome.op);
    throw isRefused ? new SnapshotCondemnedError(id) : await overtaken(w, held);
  }
  return await resultOf(w, outcome, discard === true, {
    snapshot_id: id,
    content: made.content,
    previous_head: begun.head_snapshot_id,
    reason,
    degradations: made.degradations,
  });
}

/** Nothing is mounted in what will be moved away; a payload that is missing is replaced like an empty one. */
async function requireReplaceable(w: Worktree, signal: AbortSignal): Promise<void> {
  await mkdir(w.path, { recursive: true }).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error;
  });
  await requireSameFilesystem(w);
  refuseMounts(await withTreePool((pool) => scanTree(pool, w.path, { signal })));
}

/** Why somebody else's record came first, by the lock as it is now. */
async function overtaken(w: Worktree, held: HeldLock): Promise<CodedError> {
  const now = await readState(lockSite(w));
  if (now.lock?.fencing_token !== held.lock.fencing_token)
    return new FencingMismatchError(w.name, held.lock.fencing_token, now);
  return now.pending === null ? new RestoreOvertakenError(w.name) : new WorktreePendingError(w.name, now.pending.op);
}

async function resultOf(
  w: Worktree,
  { op }: Outcome,
  discard: boolean,
  facts: Pick<Restored, 'snapshot_id' | 'content' | 'previous_head' | 'reason' | 'degradations'>,
): Promise<RestoredInPlace> {
  const { kept, intruders } = discard ? await discardKept(w.repository, op) : await remainsOf(op);
  if (discard) failpoint('restore:discard');
  const { snapshot_id, content, previous_head, reason, degradations } = facts;
  return {
    mode: 'inplace',
    snapshot_id,
    worktree: w.name,
    path: w.path,
    content,
    previous_head,
    reason,
    kept: kept ?? null,
    intruders,
    degradations,
  };
}
