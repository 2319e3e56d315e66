import { failpoint } from '@jvs/platform/failpoint';
import { checkFencing, findOwnLock, LockExpiredError, type HeldLock } from './check-fencing.ts';
import { beat, filesystemNow, leaseEnd } from './lease-clock.ts';
import type { LockState } from './lock-state.ts';
import type { LockSite, StateRecord } from './worktree-state.ts';

/**
 * Starts the caller's lease anew; returns the lock and when it ends now (epoch ms). A lease that is over stays over.
 * @throws LockNotHeldError, LockExpiredError, FencingMismatchError
 */
export async function renewLock(site: LockSite): Promise<HeldLock & { leaseEndMs: number }> {
  const own = await findOwnLock(site);
  if (own.isOver) throw new LockExpiredError(site.worktree, own.lock, own.leaseEndMs);
  return { record: own.record, lock: own.lock, leaseEndMs: await renew(site, own.record, own.lock) };
}

async function renew(site: LockSite, record: StateRecord, lock: LockState): Promise<number> {
  const now = await filesystemNow(site);
  await beat(site, record, now);
  failpoint('lock:renew');
  return leaseEnd(lock, now);
}

/** What keeping a lock needs to know of it. */
type KeptLease = Pick<LockState, 'fencing_token' | 'lease_duration_ms' | 'renew_interval_ms' | 'steal_grace_ms'>;

/** A lock that is renewed in the background while an operation runs. */
export interface KeptLock {
  /** Aborted, with the error as its reason, as soon as a renewal fails. */
  readonly lost: AbortSignal;
  /** @throws what made the renewal fail, or FencingMismatchError, LockExpiredError as of now */
  check(): Promise<HeldLock>;
  stop(): void;
}

/**
 * Renews every `renew_interval_ms` until stopped. A failed renewal is final, and so is one that has not come back when the
 * lease must be over: calls to a network filesystem can hang for minutes.
 */
export function keepLock(site: LockSite, { lock }: { lock: KeptLease }): KeptLock {
  const lost = new AbortController();
  let ended = false;
  let next: NodeJS.Timeout | undefined;
  let deadline: NodeJS.Timeout | undefined;
  const stop = (): void => {
    ended = true;
    clearTimeout(next);
    clearTimeout(deadline);
  };
  const lose = (error: unknown): void => {
    if (ended) return;
    stop();
    lost.abort(error);
  };
  /** What became of the lock is looked up, as long as an answer comes before others may take over. */
  const expire = async (): Promise<void> => {
    const endMs = site.clock.now();
    const looking = checkFencing(site, lock.fencing_token);
    deadline = setTimeout(() => lose(new LockExpiredError(site.worktree, lock, endMs)), lock.steal_grace_ms).unref();
    await looking;
    if (!ended) arm(lock.lease_duration_ms);
  };
  const arm = (ms: number): void => {
    clearTimeout(deadline);
    deadline = setTimeout(() => void expire().catch(lose), ms).unref();
  };
  const tick = async (): Promise<void> => {
    const startedAt = performance.now();
    const { record, lock: current } = await checkFencing(site, lock.fencing_token);
    if (ended) return;
    await renew(site, record, current);
    if (!ended) schedule(startedAt);
  };
  /** The lease counts from before the renewal began, so that it cannot end before we think so. */
  const schedule = (startedAt: number): void => {
    const gone = performance.now() - startedAt;
    arm(lock.lease_duration_ms - gone);
    next = setTimeout(() => void tick().catch(lose), Math.max(0, lock.renew_interval_ms - gone)).unref();
  };
  schedule(performance.now());
  return {
    lost: lost.signal,
    check: async () => {
      lost.signal.throwIfAborted();
      return await checkFencing(site, lock.fencing_token);
    },
    stop,
  };
}
