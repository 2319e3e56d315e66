import { isHolder } from './credentials.ts';
import {
  filesystemNowIfKnown,
  hasOneClock,
  leaseEnd,
  readHeartbeat,
  takeOverTime,
  type LeaseState,
} from './lease-clock.ts';
import type { LockState } from './lock-state.ts';
import { watchedFor } from './take-over.ts';
import { readState, type LockSite, type StateRecord } from './worktree-state.ts';

export interface LockStatus {
  state: LeaseState;
  record: StateRecord;
  /** When the lease ends unless it is renewed, epoch ms; undefined for a free lock. */
  leaseEndMs: number | undefined;
  /** Whether the caller is the holder. */
  mine: boolean;
}

/** How the lock stands. Changes nothing but the clock probe; where not even that can be written, the lease is `unknown`. */
export async function lockStatus(site: LockSite): Promise<LockStatus> {
  const record = await readState(site);
  const { lock } = record;
  if (lock === null) return { state: 'free', record, leaseEndMs: undefined, mine: false };
  const heartbeat = await readHeartbeat(site, record);
  const now = await filesystemNowIfKnown(site);
  const state = await leaseState(site, record, lock, { heartbeat, now });
  return { state, record, leaseEndMs: leaseEnd(lock, heartbeat), mine: await isHolder(site, lock) };
}

/** Judges as a command that takes over does, but by what is known already: this command leaves no trace. */
async function leaseState(
  site: LockSite,
  record: StateRecord,
  lock: LockState,
  { heartbeat, now }: { heartbeat: number; now: number | undefined },
): Promise<LeaseState> {
  if (now === undefined) return 'unknown';
  if (now <= leaseEnd(lock, heartbeat)) return 'held';
  const byClock = now > takeOverTime(lock, heartbeat) && (await hasOneClock(site, lock));
  const watched = (await watchedFor(site, record.seq, heartbeat)) ?? 0;
  return byClock || watched >= takeOverTime(lock, 0) ? 'stealable' : 'expired';
}
