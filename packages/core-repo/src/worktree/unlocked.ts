import { findEvidence, lockStatus, type StateRecord } from '@jvs/lock-lease';
import { CodedError } from '@jvs/platform/errors';
import { MAIN_WORKTREE } from '../layout.ts';
import { checkName, NameInvalidError } from '../names.ts';
import type { Repository } from '../repository.ts';
import { NotFoundError } from '../repository-errors.ts';
import { WorktreePendingError } from './end-operation.ts';
import { lockSite } from './lock-site.ts';
import { settleWorktree } from './settle.ts';
import { findState } from './state-log.ts';
import { openWorktree, type Worktree } from './worktree.ts';

/** A worktree with a lock is neither renamed nor removed. */
export class WorktreeLockedError extends CodedError {
  readonly code = 'E_LOCK_CONFLICT';
  constructor(worktree: string, { lock }: StateRecord, isMine: boolean) {
    const holder = isMine ? 'you' : `${lock?.holder_id ?? ''} (session ${lock?.session_id ?? ''})`;
    super(`Worktree "${worktree}" is locked by ${holder} since ${lock?.created_at ?? ''}`, {
      hint: isMine ? `Run "jvs lock release --worktree ${worktree}" first.` : 'Wait until the holder releases it.',
      details: { worktree, holder_id: lock?.holder_id ?? null, session_id: lock?.session_id ?? null, mine: isMine },
    });
  }
}

/** A worktree that may be renamed or removed, and the state that shows it. */
export interface UnlockedWorktree {
  w: Worktree;
  record: StateRecord;
}

/** @throws NameInvalidError also for `main`, which is never renamed or removed */
export function checkMovable(name: string): void {
  checkName('worktree', name);
  if (name === MAIN_WORKTREE) throw new NameInvalidError('worktree', name, 'the worktree "main" stays what it is');
}

/**
 * The worktree of that name with nothing pending and no lock, unless its holder is gone by evidence.
 * @param dryRun change nothing: a pending operation is then refused
 * @throws NotFoundError, WorktreeLockedError, WorktreePendingError
 */
export async function openUnlocked(r: Repository, name: string, dryRun = false): Promise<UnlockedWorktree> {
  for (;;) {
    const w = await openWorktree(r, name);
    if ((await findState(r, w.id)) === undefined) {
      if (dryRun) throw new WorktreePendingError(name, 'create');
      await settleWorktree(w);
      continue;
    }
    const { record, mine } = await lockStatus(lockSite(w));
    if (record.lock !== null) {
      const { evidence } = mine ? { evidence: null } : await findEvidence(lockSite(w), record, record.lock);
      if (evidence === null) throw new WorktreeLockedError(name, record, mine);
    }
    if (record.kind === 'remove') throw new NotFoundError('worktree', name);
    if (record.pending === null) return { w, record };
    if (dryRun) throw new WorktreePendingError(name, record.pending.op);
    await settleWorktree(w);
  }
}
