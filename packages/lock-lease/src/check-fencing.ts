import { CodedError } from '@jvs/platform/errors';
import { isHolder } from './credentials.ts';
import { filesystemNow, leaseEnd, readHeartbeat } from './lease-clock.ts';
import type { LockState } from './lock-state.ts';
import { readState, type LockSite, type StateRecord } from './worktree-state.ts';

/** The command needs the lock of the worktree, and the caller does not hold it. */
export class LockNotHeldError extends CodedError {
  readonly code = 'E_LOCK_NOT_HELD';
  constructor(worktree: string, record: StateRecord) {
    const { lock } = record;
    super(
      lock === null
        ? `Nobody holds the lock of worktree "${worktree}"`
        : `The lock of worktree "${worktree}" is held by ${lock.holder_id} (session ${lock.session_id}) since ${lock.created_at}`,
      {
        hint:
          lock === null
            ? 'Run "jvs lock acquire" first.'
            : 'Run "jvs lock status" to see the lease; locks are per user, host and session.',
        details: { worktree, ...holderDetails(record) },
      },
    );
  }
}

/** The caller was the holder and no longer is: another took over in between. */
export class FencingMismatchError extends CodedError {
  readonly code = 'E_FENCING_MISMATCH';
  constructor(worktree: string, ourToken: number, record: StateRecord) {
    const { lock } = record;
    super(
      `Fencing token ${ourToken} for worktree "${worktree}" is no longer valid: ${
        lock === null
          ? 'the lock was released'
          : `${lock.holder_id} has token ${lock.fencing_token} since ${lock.created_at}`
      }`,
      {
        hint:
          lock === null
            ? 'Acquire it again and repeat the command.'
            : 'Another process took the lock while this one was not renewing it. Acquire it again and repeat the command.',
        details: {
          worktree,
          our_token: ourToken,
          current_token: lock?.fencing_token ?? null,
          ...holderDetails(record),
        },
      },
    );
  }
}

/** The caller's own lease is over, and it must not be renewed or used any more. */
export class LockExpiredError extends CodedError {
  readonly code = 'E_LOCK_EXPIRED';
  constructor(worktree: string, lock: Pick<LockState, 'fencing_token'>, endMs: number) {
    const ended = new Date(endMs).toISOString();
    super(`The lease on worktree "${worktree}" ended at ${ended}`, {
      hint: 'Run "jvs lock acquire" to get a new lease with a new fencing token.',
      details: { worktree, lease_ended_at: ended, fencing_token: lock.fencing_token },
    });
  }
}

/** A lock that the caller holds, with the record that proves it. */
export interface HeldLock {
  record: StateRecord;
  lock: LockState;
}

/** The caller's own lock and whether its lease is over. @throws LockNotHeldError, FencingMismatchError */
export async function findOwnLock(site: LockSite): Promise<HeldLock & { leaseEndMs: number; isOver: boolean }> {
  const record = await readState(site);
  const { lock } = record;
  const { fencingToken } = site.caller;
  if (fencingToken !== undefined && lock?.fencing_token !== fencingToken) {
    throw new FencingMismatchError(site.worktree, fencingToken, record);
  }
  if (lock === null || !(await isHolder(site, lock))) throw new LockNotHeldError(site.worktree, record);
  const leaseEndMs = leaseEnd(lock, await readHeartbeat(site, record));
  const now = await filesystemNow(site);
  return { record, lock, leaseEndMs, isOver: now > leaseEndMs };
}

/**
 * Checks that the lock with `fencingToken` is still the caller's and that its lease is alive; for the steps of an
 * operation that began as holder.
 * @throws FencingMismatchError, LockExpiredError
 */
export async function checkFencing(site: LockSite, fencingToken: number): Promise<HeldLock> {
  const record = await readState(site);
  const { lock } = record;
  if (lock?.fencing_token !== fencingToken) throw new FencingMismatchError(site.worktree, fencingToken, record);
  const end = leaseEnd(lock, await readHeartbeat(site, record));
  const now = await filesystemNow(site);
  if (now > end) throw new LockExpiredError(site.worktree, lock, end);
  return { record, lock };
}

function holderDetails({ lock }: StateRecord): Record<string, unknown> {
  return { holder_id: lock?.holder_id ?? null, session_id: lock?.session_id ?? null, since: lock?.created_at ?? null };
}
