import { randomBytes } from 'node:crypto';
import { keepLock, type AcquireOptions } from '@jvs/lock-lease';
import { lockSite } from './lock-site.ts';
import { acquireLock, releaseLock, type Lease } from './locking.ts';
import type { Worktree } from './worktree.ts';

/** A lock for the time that some work takes. */
export interface WorkLease extends Lease {
  /** The worktree as whoever holds this lock sees it: snapshots and restores of it are done under the lock. */
  worktree: Worktree;
}

/**
 * Does `work` as the only writer of the worktree. The lock is taken in a session of its own, so that it excludes every
 * other command of the caller too, is renewed in the background, and is given back however the work ends.
 * @param work gets a signal that is aborted, with the reason, when the lock is lost; it should end soon then
 * @returns what `work` returns
 * @throws what `work` throws; LockConflictError, ClockSkewError when the lock cannot be had; FencingMismatchError or
 *   LockExpiredError when it was lost, whatever `work` made of that
 */
export async function withLock<T>(
  w: Worktree,
  work: (lock: WorkLease, signal: AbortSignal) => Promise<T>,
  options: AcquireOptions = {},
): Promise<T> {
  const anyToken = inSession(w, freshSession(w.repository.caller.sessionId), undefined);
  let lease: Lease;
  try {
    lease = await acquireLock(anyToken, options);
  } catch (error) {
    // It may have been taken before something else failed, and nobody else knows of this session.
    await releaseLock(anyToken).catch((failure: unknown) => w.repository.log.debug({ failure }, 'nothing to release'));
    throw error;
  }
  const ours = inSession(w, lease.lock.session_id, lease.lock.fencing_token);
  const kept = keepLock(lockSite(ours), lease);
  const working = Promise.resolve().then(() => work({ ...lease, worktree: ours }, kept.lost));
  await working.catch(() => undefined);
  kept.stop();
  const giving = releaseLock(ours);
  await giving.catch((failure: unknown) => w.repository.log.warn({ failure }, 'lock not released'));
  kept.lost.throwIfAborted();
  const result = await working;
  await giving;
  return result;
}

/** A session that nobody else is in, by its name still recognisable as the caller's. */
function freshSession(session: string): string {
  return `${session.slice(0, 200).replace(/[\uD800-\uDBFF]$/, '')}+${randomBytes(4).toString('hex')}`;
}

function inSession(w: Worktree, sessionId: string, fencingToken: number | undefined): Worktree {
  const { repository: r } = w;
  return { ...w, repository: { ...r, caller: { ...r.caller, sessionId, fencingToken } } };
}
