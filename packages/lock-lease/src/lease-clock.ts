import { open, utimes } from 'node:fs/promises';
import { hasCode } from '@jvs/platform/errors';
import type { LockState } from './lock-state.ts';
import type { LockSite, StateRecord } from './worktree-state.ts';

/** `held` lease alive; `expired` over; `stealable` over for so long that the clock alone allows taking over. */
export type LeaseState = 'free' | 'held' | 'expired' | 'stealable' | 'unknown';

/**
 * The filesystem's own clock, ms: the modification time of a byte that has just been written.
 * @throws Node's `EROFS`, `EACCES`, `ENOSPC`, … where nothing can be written
 */
export async function filesystemNow(site: Pick<LockSite, 'probePath'>): Promise<number> {
  const probe = await open(site.probePath, 'r+').catch(async (error: unknown) => {
    if (hasCode(error, 'ENOENT')) return await open(site.probePath, 'w+');
    throw error;
  });
  try {
    await probe.write('.', 0);
    return Math.floor((await probe.stat()).mtimeMs);
  } finally {
    await probe.close();
  }
}

/** {@link filesystemNow} for commands that only read: undefined where it cannot be known without writing. */
export async function filesystemNowIfKnown(site: Pick<LockSite, 'probePath'>): Promise<number | undefined> {
  try {
    return await filesystemNow(site);
  } catch (error) {
    if (hasCode(error, 'EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT', 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * When the current record was made or last renewed: the modification time of its file, ms. Read through an open file,
 * because a bare stat may be answered from a network client's cache.
 */
export async function readHeartbeat(site: Pick<LockSite, 'log'>, record: StateRecord): Promise<number> {
  try {
    const file = await open(site.log.slotPath(record.seq), 'r');
    try {
      return Math.floor((await file.stat()).mtimeMs);
    } finally {
      await file.close();
    }
  } catch (error) {
    // Folded into a segment, hence older than a day.
    if (hasCode(error, 'ENOENT')) return Date.parse(record.at);
    throw error;
  }
}

export function leaseEnd(lock: LockState, heartbeatMs: number): number {
  return heartbeatMs + lock.lease_duration_ms;
}

/** From when on the clock alone is evidence that the holder is gone. */
export function takeOverTime(lock: LockState, heartbeatMs: number): number {
  return leaseEnd(lock, heartbeatMs) + lock.max_clock_skew_ms + lock.steal_grace_ms;
}

export function leaseState(lock: LockState | null, heartbeatMs: number, fsNowMs: number | undefined): LeaseState {
  if (lock === null) return 'free';
  if (fsNowMs === undefined) return 'unknown';
  if (fsNowMs > takeOverTime(lock, heartbeatMs)) return 'stealable';
  return fsNowMs > leaseEnd(lock, heartbeatMs) ? 'expired' : 'held';
}

/** Starts the lease anew: the record's file gets the time `fsNowMs`. */
export async function beat(site: Pick<LockSite, 'log'>, record: StateRecord, fsNowMs: number): Promise<void> {
  // Half a millisecond more, so that reading it back as whole milliseconds gives the same.
  const seconds = (fsNowMs + 0.5) / 1000;
  await utimes(site.log.slotPath(record.seq), seconds, seconds);
}
