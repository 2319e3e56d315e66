import { randomUUID } from 'node:crypto';
import {
  acquireLock as acquire,
  lockStatus as status,
  releaseLock as release,
  renewLock as renew,
  requireLock,
  type AcquireOptions,
  type HeldLock,
  type LockStatus,
  type ReleaseOptions,
} from '@jvs/lock-lease';
import { timestamp } from '@jvs/platform/clock';
import { appendAudit } from '../audit/audit-log.ts';
import { eventOfState } from '../audit/event-of-state.ts';
import { NotFoundError } from '../repository-errors.ts';
import { withReserve } from '../reserve.ts';
import { lockSite } from './lock-site.ts';
import { settleWorktree } from './settle.ts';
import type { Worktree } from './worktree.ts';

/** A lock as the holder sees it, without the hash of its secret. */
export type PublicLock = Omit<HeldLock['lock'], 'holder_nonce_hash'>;

export interface Lease {
  lock: PublicLock;
  /** When it ends unless it is renewed. */
  expires_at: string;
}

/** Takes the worktree's lock, and settles what a former holder left pending. @throws LockConflictError, ClockSkewError */
export async function acquireLock(w: Worktree, options: AcquireOptions = {}): Promise<Lease & { state: 'held' }> {
  const held = await acquire(lockSite(w), options);
  await appendAudit(w.repository, await eventOfState(w.repository, held.record));
  await settleWorktree(w, { signal: options.signal });
  const { record, leaseEndMs } = await status(lockSite(w));
  if (record.kind === 'remove') throw new NotFoundError('worktree', w.name, 'Its removal was pending and is done now.');
  return { lock: publicLock(held.lock), expires_at: timestamp(leaseEndMs ?? 0), state: 'held' };
}

/**
 * The caller's own lock for a command that needs it. A lease that had run out is taken up again with a new token, on
 * the record, and `onRenewed` learns of it.
 * @throws LockNotHeldError, FencingMismatchError, LockExpiredError
 */
export async function requireHeldLock(w: Worktree, onRenewed?: (held: HeldLock) => void): Promise<HeldLock> {
  let isNew = false;
  const held = await requireLock(lockSite(w), () => (isNew = true));
  if (isNew) {
    await appendAudit(w.repository, await eventOfState(w.repository, held.record));
    onRenewed?.(held);
  }
  return held;
}

/** @throws LockNotHeldError, LockExpiredError, FencingMismatchError */
export async function renewLock(w: Worktree): Promise<Lease> {
  const { lock, leaseEndMs } = await renew(lockSite(w));
  await appendAudit(w.repository, {
    event_id: randomUUID(),
    operation: 'lock_renew',
    actor: w.repository.caller.actor,
    target: w.name,
    snapshot_id: null,
    fencing_token: lock.fencing_token,
    session_id: lock.session_id,
    reason: null,
    details: {},
  });
  return { lock: publicLock(lock), expires_at: timestamp(leaseEndMs) };
}

/** Gives the lock back; `released` is false when it was free. @throws LockNotHeldError */
export async function releaseLock(
  w: Worktree,
  options: ReleaseOptions = {},
): Promise<{ worktree: string; released: boolean }> {
  const record = await withReserve(w.repository.layout, () => release(lockSite(w), options));
  if (record === undefined) return { worktree: w.name, released: false };
  await withReserve(w.repository.layout, async () => {
    await appendAudit(w.repository, await eventOfState(w.repository, record));
  });
  return { worktree: w.name, released: true };
}

export interface LockReport {
  state: LockStatus['state'];
  lock: PublicLock | null;
  expires_at: string | null;
  /** Whether the caller is the holder. */
  mine: boolean;
}

export async function lockStatus(w: Worktree): Promise<LockReport> {
  const { state, record, leaseEndMs, mine } = await status(lockSite(w));
  return {
    state,
    lock: record.lock === null ? null : publicLock(record.lock),
    expires_at: leaseEndMs === undefined ? null : timestamp(leaseEndMs),
    mine,
  };
}

function publicLock({ holder_nonce_hash: _secret, ...lock }: HeldLock['lock']): PublicLock {
  return lock;
}
