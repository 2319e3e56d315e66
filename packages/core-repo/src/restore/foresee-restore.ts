import { findEvidence, LockConflictError, LockNotHeldError, lockStatus } from '@jvs/lock-lease';
import { diff } from '../history/diff.ts';
import type { OnProgress } from '../progress.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { verifySnapshot } from '../verify/verify-snapshot.ts';
import { PayloadMismatchError } from '../snapshot/manifest.ts';
import { WorktreePendingError } from '../worktree/end-operation.ts';
import { lockSite } from '../worktree/lock-site.ts';
import type { Worktree } from '../worktree/worktree.ts';
import type { RestoredInPlace } from './restore-result.ts';

interface ForeseeOptions {
  reason: string;
  verify?: boolean | undefined;
  lock?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

/**
 * Makes every check of a restore in place and compares the live payload with the snapshot; changes nothing. An operation
 * that is pending, which the restore would settle, is refused here.
 * @throws LockNotHeldError, LockConflictError, WorktreePendingError, NotFoundError, PayloadMismatchError
 */
export async function foreseeRestore(w: Worktree, id: string, options: ForeseeOptions): Promise<RestoredInPlace> {
  const { repository: r } = w;
  const { reason, verify, lock, signal, onProgress } = options;
  const head = await requireWritable(w, lock === true);
  await requireVisible(r, id);
  const isRead = verify !== false;
  if (isRead) {
    const { tamper_detected: isTampered, why } = await verifySnapshot(r, id, { signal, onProgress });
    if (isTampered) throw new PayloadMismatchError(`Snapshot ${id}: ${why ?? ''}`, { details: { snapshot_id: id } });
  }
  const { totals } = await diff(r, id, w, { signal, onProgress });
  return {
    mode: 'inplace',
    snapshot_id: id,
    worktree: w.name,
    path: w.path,
    content: isRead ? 'verified' : 'unread',
    previous_head: head,
    reason,
    kept: null,
    intruders: [],
    degradations: [],
    dry_run: true,
    totals: {
      ...totals,
      added: totals.removed,
      removed: totals.added,
      bytes_before: totals.bytes_after,
      bytes_after: totals.bytes_before,
    },
  };
}

/** The head of a worktree that the caller could write to. */
async function requireWritable(w: Worktree, takesLock: boolean): Promise<string | null> {
  const site = lockSite(w);
  const { record, mine } = await lockStatus(site);
  if (!mine && !takesLock) throw new LockNotHeldError(w.name, record);
  if (!mine && record.lock !== null) {
    const found = await findEvidence(site, record, record.lock);
    if (found.evidence === null) throw new LockConflictError(w.name, record.lock, found.earliestMs);
  }
  if (record.pending !== null) throw new WorktreePendingError(w.name, record.pending.op);
  return record.head_snapshot_id;
}
