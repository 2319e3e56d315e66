import { randomUUID } from 'node:crypto';
import { timestamp } from '@jvs/platform/clock';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { readBootId } from '@jvs/platform/filesystem';
import { FencingMismatchError, findOwnLock, LockExpiredError, type HeldLock } from './check-fencing.ts';
import { isHolder, newNonce, removeCredentials, removeSuperseded, writeCredentials } from './credentials.ts';
import { cutText } from './cut-text.ts';
import { filesystemNow, leaseEnd, readHeartbeat } from './lease-clock.ts';
import { LOCK_DEFAULTS, LockState, SessionId } from './lock-state.ts';
import { findEvidence } from './take-over.ts';
import { appendState, readState, type LockSite, type StateRecord } from './worktree-state.ts';

/** Another holder has the worktree, and nothing shows that it is gone. */
export class LockConflictError extends CodedError {
  readonly code = 'E_LOCK_CONFLICT';
  constructor(worktree: string, lock: LockState, earliestMs: number | undefined, isOwn = false) {
    const earliest = earliestMs === undefined ? null : timestamp(earliestMs);
    super(
      isOwn
        ? `You hold the lock of worktree "${worktree}" already, in session ${lock.session_id} since ${lock.created_at}`
        : `Worktree "${worktree}" is locked by ${lock.holder_id} (session ${lock.session_id}) since ${lock.created_at}`,
      {
        hint: hintFor(earliest, isOwn),
        details: {
          worktree,
          holder_id: lock.holder_id,
          session_id: lock.session_id,
          since: lock.created_at,
          purpose: lock.purpose,
          earliest_take_over: earliest,
        },
      },
    );
  }
}

function hintFor(earliest: string | null, isOwn: boolean): string {
  if (isOwn) return 'Run "jvs lock renew" to extend it.';
  if (earliest === null) return 'Try again.';
  return `Unless the holder renews, it can be taken over from ${earliest} on; --wait keeps trying.`;
}

/** A lock cannot be asked for in this way. */
export class LockRequestError extends CodedError {
  readonly code = 'E_USAGE';
}

/** The worktree was removed in the meantime: its state log has ended. */
export class WorktreeRemovedError extends CodedError {
  readonly code = 'E_NOT_FOUND';
  constructor(worktree: string) {
    super(`Worktree "${worktree}" has been removed`, { details: { what: 'worktree', name: worktree } });
  }
}

export interface AcquireOptions {
  /** What the lock is for, shown to those who meet it. Default: none. */
  purpose?: string | undefined;
  /** From 1000 to 86,400,000. Default: 300,000. */
  leaseDurationMs?: number | undefined;
  /** How long to keep trying while another holds it. Default: 0, not at all. */
  waitMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

const RETRY_MS = 100;

/**
 * Takes a free lock, or one whose holder is gone by evidence of the clock or of observation. Not re-entrant.
 * The caller's secret is durable before the lock is, so that nobody ever holds a lock that he cannot release.
 * @throws LockConflictError, ClockSkewError, StateHomeError, WorktreeRemovedError, LockRequestError
 */
export async function acquireLock(site: LockSite, options: AcquireOptions = {}): Promise<HeldLock> {
  checkRequest(site, options);
  const deadline = site.clock.monotonic() + (options.waitMs ?? 0);
  for (;;) {
    try {
      return await tryAcquire(site, options);
    } catch (error) {
      const left = deadline - site.clock.monotonic();
      if (!hasCode(error, 'E_LOCK_CONFLICT', 'E_CLOCK_SKEW_EXCEEDED') || left <= 0) throw error;
      await site.clock.sleep(Math.min(RETRY_MS, left), options.signal);
    }
  }
}

function checkRequest({ caller }: LockSite, { leaseDurationMs = LOCK_DEFAULTS.leaseDurationMs }: AcquireOptions): void {
  if (!LockState.shape.lease_duration_ms.safeParse(leaseDurationMs).success) {
    throw new LockRequestError('A lease lasts a whole number of ms from 1000 to 86400000', {
      details: { lease_duration_ms: leaseDurationMs },
    });
  }
  if (!SessionId.safeParse(caller.sessionId).success) {
    throw new LockRequestError('A session id is 1 to 256 characters without control characters');
  }
}

/**
 * The caller's own lock for a command that needs it. A lease that ran out is taken up again with a new token if nobody
 * came in between, unless the caller is bound to a token; `onRenewed` then learns of it.
 * @throws LockNotHeldError, FencingMismatchError, LockExpiredError
 */
export async function requireLock(site: LockSite, onRenewed: (held: HeldLock) => void): Promise<HeldLock> {
  const own = await findOwnLock(site);
  if (!own.isOver) return own;
  if (site.caller.fencingToken !== undefined) throw new LockExpiredError(site.worktree, own.lock, own.leaseEndMs);
  const taken = await take(site, own.record, 'steal', {
    purpose: own.lock.purpose ?? undefined,
    leaseDurationMs: own.lock.lease_duration_ms,
  });
  if (taken === 'lost') throw new FencingMismatchError(site.worktree, own.lock.fencing_token, await readState(site));
  onRenewed(taken);
  return taken;
}

async function tryAcquire(site: LockSite, options: AcquireOptions): Promise<HeldLock> {
  const record = await readState(site);
  const { lock } = record;
  if (record.kind === 'remove') throw new WorktreeRemovedError(site.worktree);
  if (lock !== null) {
    const isOwn = await isHolder(site, lock);
    if (!isOwn || !(await isOver(site, record, lock))) {
      const found = await findEvidence(site, record, lock);
      if (found.evidence === null) {
        if (found.skew !== undefined) throw found.skew;
        throw new LockConflictError(site.worktree, lock, found.earliestMs, isOwn);
      }
    }
  }
  const taken = await take(site, record, lock === null ? 'acquire' : 'steal', options);
  if (taken !== 'lost') return taken;
  const winner = (await readState(site)).lock;
  if (winner !== null) throw new LockConflictError(site.worktree, winner, undefined);
  return await tryAcquire(site, options);
}

async function isOver(site: LockSite, record: StateRecord, lock: LockState): Promise<boolean> {
  return (await filesystemNow(site)) > leaseEnd(lock, await readHeartbeat(site, record));
}

async function take(
  site: LockSite,
  previous: StateRecord,
  kind: 'acquire' | 'steal',
  { purpose, leaseDurationMs = LOCK_DEFAULTS.leaseDurationMs }: AcquireOptions,
): Promise<HeldLock | 'lost'> {
  const { nonce, hash } = newNonce();
  const lock: LockState = {
    acquire_seq: await nextAcquireSeq(site, previous),
    boot_id: await readBootId(),
    created_at: timestamp(site.clock.now()),
    fencing_token: previous.seq + 1,
    holder_id: site.caller.actor,
    holder_nonce_hash: hash,
    lease_duration_ms: leaseDurationMs,
    lock_id: randomUUID(),
    max_clock_skew_ms: LOCK_DEFAULTS.maxClockSkewMs,
    purpose: purpose === undefined ? null : cutText(purpose),
    renew_interval_ms: LOCK_DEFAULTS.renewIntervalMs(leaseDurationMs),
    session_id: site.caller.sessionId,
    steal_grace_ms: LOCK_DEFAULTS.stealGraceMs,
  };
  await writeCredentials(site, lock.lock_id, nonce, lock.fencing_token);
  failpoint('lock:credentials');
  const record = await appendState(site, previous, { kind, actor: site.caller.actor, lock });
  if (record === 'lost') {
    await removeCredentials(site, lock.lock_id);
    return 'lost';
  }
  failpoint('lock:append');
  await removeSuperseded(site, lock);
  return { record, lock };
}

/** A free state has no lock to count from; its last one is looked up backwards. */
async function nextAcquireSeq(site: LockSite, previous: StateRecord): Promise<number> {
  let { lock } = previous;
  for (let seq = previous.seq - 1; lock === null && seq > 0; seq -= 1) {
    const record = await site.log.read(seq);
    lock = record === undefined ? null : ((record['lock'] ?? null) as LockState | null);
  }
  return (lock?.acquire_seq ?? 0) + 1;
}
