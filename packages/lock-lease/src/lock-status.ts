import { isHolder } from './credentials.ts';
import { filesystemNowIfKnown, leaseEnd, leaseState, readHeartbeat, type LeaseState } from './lease-clock.ts';
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
  const state = leaseState(lock, heartbeat, now);
  return { state, record, leaseEndMs: leaseEnd(lock, heartbeat), mine: await isHolder(site, lock) };
}
