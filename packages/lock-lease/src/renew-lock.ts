import { failpoint } from '@jvs/platform/failpoint';
import { checkFencing, findOwnLock, LockExpiredError, type HeldLock } from './check-fencing.ts';
import { beat, filesystemNow, leaseEnd } from './lease-clock.ts';
import type { LockState } from './lock-state.ts';
import type { LockSite, StateRecord } from './worktree-state.ts';

/**
 * Starts the caller's lease anew and returns when it ends (epoch ms). A lease that is over stays over.
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

/** A lock that is renewed in the background while an operation runs. */
export interface KeptLock {
  /** Aborted, with the error as its reason, as soon as a renewal fails. */
  readonly lost: AbortSignal;
  /** @throws what made the renewal fail, or FencingMismatchError, LockExpiredError as of now */
  check(): Promise<HeldLock>;
  stop(): void;
}

/** Renews every `renew_interval_ms` until stopped. A failed renewal is final. */
export function keepLock(site: LockSite, { lock }: HeldLock): KeptLock {
  const lost = new AbortController();
  const tick = async (): Promise<void> => {
    const { record, lock: current } = await checkFencing(site, lock.fencing_token);
    await renew(site, record, current);
  };
  const timer = setInterval(() => {
    tick().catch((error: unknown) => {
      clearInterval(timer);
      lost.abort(error);
    });
  }, lock.renew_interval_ms);
  timer.unref();
  return {
    lost: lost.signal,
    check: async () => {
      lost.signal.throwIfAborted();
      return await checkFencing(site, lock.fencing_token);
    },
    stop: () => clearInterval(timer),
  };
}
