import { CodedError } from '@jvs/platform/errors';
import { FencingMismatchError, LockNotHeldError } from './check-fencing.ts';
import { isHolder, removeCredentials } from './credentials.ts';
import { findEvidence } from './take-over.ts';
import { appendState, readState, type LockSite, type StateRecord } from './worktree-state.ts';

/** Releasing another's lock must say why. */
export class ReasonMissingError extends CodedError {
  readonly code = 'E_USAGE';
  constructor() {
    super('Releasing a lock by force needs a reason', { hint: 'Add --reason "…"; it is kept in the audit log.' });
  }
}

export interface ReleaseOptions {
  /** Release it though the caller is not its holder. Needs `reason`. */
  force?: boolean | undefined;
  reason?: string | undefined;
}

/**
 * Gives the lock back. A free lock stays free, as does that of a worktree that is gone, and undefined is returned.
 * @throws LockNotHeldError for another's lock without `force`; FencingMismatchError when it was ours as this began, or is
 *   not the one that the caller is bound to; ReasonMissingError
 */
export async function releaseLock(
  site: LockSite,
  { force = false, reason }: ReleaseOptions = {},
): Promise<StateRecord | undefined> {
  if (force && (reason ?? '').trim() === '') throw new ReasonMissingError();
  let { fencingToken } = site.caller;
  for (;;) {
    const record = await readState(site);
    const { lock } = record;
    if (lock === null || record.kind === 'remove') return undefined;
    if (fencingToken !== undefined && lock.fencing_token !== fencingToken && !force) {
      throw new FencingMismatchError(site.worktree, fencingToken, record);
    }
    if (!force && !(await isHolder(site, lock))) throw new LockNotHeldError(site.worktree, record);
    const released = await release(site, record, reason ?? null);
    if (released !== 'lost') return released;
    fencingToken = lock.fencing_token;
  }
}

/** Releases a lock whose holder is gone by evidence A or B; undefined when it is free or nothing shows that. */
export async function releaseAbandoned(site: LockSite): Promise<StateRecord | undefined> {
  const record = await readState(site);
  if (record.lock === null || record.kind === 'remove') return undefined;
  const { evidence } = await findEvidence(site, record, record.lock);
  if (evidence === null) return undefined;
  const released = await release(site, record, `the holder is gone, by ${evidence}`);
  return released === 'lost' ? undefined : released;
}

async function release(site: LockSite, record: StateRecord, reason: string | null): Promise<StateRecord | 'lost'> {
  const released = await appendState(site, record, { kind: 'release', actor: site.caller.actor, lock: null, reason });
  if (released !== 'lost' && record.lock !== null) await removeCredentials(site, record.lock.lock_id);
  return released;
}
