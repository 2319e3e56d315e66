import { open, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from '@jvs/platform/errors';
import { filesystemKind, readBootId } from '@jvs/platform/filesystem';
import type { LockState } from './lock-state.ts';
import type { LockSite, StateRecord } from './worktree-state.ts';

/** `held` lease alive; `expired` over; `stealable` over, and what we know is evidence enough for taking it over. */
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
    // A network client keeps the byte for a while, and answers with the time of the one before.
    if (!(await filesystemKind(site.probePath)).local) await probe.sync();
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

/** Whether one clock surely stamps both the holder's heartbeat and our probe: nobody else writes there, or one kernel does. */
export async function hasOneClock(site: Pick<LockSite, 'probePath'>, lock: LockState): Promise<boolean> {
  return lock.boot_id === (await readBootId()) || (await filesystemKind(dirname(site.probePath))).local;
}

/** Starts the lease anew: the record's file gets the time `fsNowMs`. */
export async function beat(site: Pick<LockSite, 'log'>, record: StateRecord, fsNowMs: number): Promise<void> {
  // Half a millisecond more, so that reading it back as whole milliseconds gives the same.
  const seconds = (fsNowMs + 0.5) / 1000;
  await utimes(site.log.slotPath(record.seq), seconds, seconds);
}
