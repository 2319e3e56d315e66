import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, unlinkIfThere } from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { acquireLock, appendState, readState, releaseLock, type HeldLock } from '@jvs/lock-lease';
import { appendAudit } from '../audit/audit-log.ts';
import { eventOfState } from '../audit/event-of-state.ts';
import type { Repository } from '../repository.ts';
import { isComplete } from '../snapshot/visible.ts';
import { verifySnapshotTree } from '../verify/verify-snapshot.ts';
import { WorktreePendingError } from '../worktree/end-operation.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { settleWorktree } from '../worktree/settle.ts';
import type { Repair } from './finding.ts';
import type { RepairOptions } from './make-repairs.ts';
import { findUncommitted, type Uncommitted } from './uncommitted.ts';

/** The complete snapshot is no longer there to be taken: another took or dropped it, or its contents are damaged. */
export class NotAdoptableError extends CodedError {
  readonly code = 'E_PARTIAL_SNAPSHOT';
  constructor(id: string, why: string) {
    super(`Snapshot ${id} cannot become the head: ${why}`, {
      hint: 'Run "jvs doctor" again.',
      details: { snapshot_id: id, why },
    });
  }
}

/** No uncommitted snapshot stands on the head of its worktree. */
class NothingToAdvanceError extends CodedError {
  readonly code = 'E_NOT_FOUND';
  constructor() {
    super('No snapshot waits to become a head', { hint: 'Run "jvs doctor" to see what it finds.' });
  }
}

/** Several uncommitted snapshots stand on a head. */
class SeveralToAdvanceError extends CodedError {
  readonly code = 'E_AMBIGUOUS_ID';
  constructor(ids: readonly string[]) {
    super(`Several snapshots wait to become a head: ${ids.slice(0, 10).join(', ')}`, {
      hint: 'Copy what you need out of .jvs/snapshots/<id>; "jvs doctor --repair drop_orphan" deletes all of them.',
      details: { ids },
    });
  }
}

/**
 * `advance_head`: makes a complete but uncommitted snapshot the head of its worktree. The claim carries the number of the
 * record that will take it, so that a frozen adopter's claim is dead as soon as that number is taken.
 * @throws NothingToAdvanceError, SeveralToAdvanceError, LockConflictError, NotAdoptableError
 */
export async function advanceHead(r: Repository, { signal }: RepairOptions = {}): Promise<Repair[]> {
  const candidates: Uncommitted[] = [];
  for (const candidate of await findUncommitted(r)) {
    const { head_snapshot_id: head } = await readState(lockSite(candidate.w));
    if (head === candidate.found.intent?.parent_snapshot_id) candidates.push(candidate);
  }
  const [first, ...others] = candidates;
  if (first === undefined) throw new NothingToAdvanceError();
  if (others.length > 0) throw new SeveralToAdvanceError(candidates.map(({ found }) => found.snapshotId));
  return [await adopt(r, first, signal)];
}

async function adopt(r: Repository, candidate: Uncommitted, signal: AbortSignal | undefined): Promise<Repair> {
  const { found, w } = candidate;
  const id = found.snapshotId;
  const site = lockSite(w);
  await settleWorktree(w, { signal });
  // Reading may take hours, and is over before a lease begins.
  const isWhole = (await verifySnapshotTree(r, id, { signal })).payload_hash_valid === true;
  if (!isWhole) throw new NotAdoptableError(id, 'its contents are not what was published');
  const held = await acquireLock(site, { purpose: `advance the head to ${id}`, signal });
  try {
    await appendAudit(r, await eventOfState(r, held.record));
    failpoint('adopt:acquire');
    await commitAdoption(r, candidate, held);
  } finally {
    const released = await releaseLock(site).catch((error: unknown) => {
      if (!(error instanceof CodedError)) throw error;
      return undefined;
    });
    if (released !== undefined) await appendAudit(r, await eventOfState(r, released));
  }
  return { repair: 'advance_head', description: `Made snapshot ${id} the head of worktree "${w.name}".` };
}

async function commitAdoption(r: Repository, { found, w }: Uncommitted, held: HeldLock): Promise<void> {
  const id = found.snapshotId;
  if (held.record.pending !== null) throw new WorktreePendingError(w.name, held.record.pending.op);
  const claimed = join(r.layout.intents, `${id}.adopt-${held.record.seq + 1}`);
  await rename(found.path, claimed).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) throw new NotAdoptableError(id, 'another process has claimed it');
    throw error;
  });
  await syncDirectory(r.layout.intents);
  failpoint('adopt:claim');
  if (!(await isComplete(r, id)) || held.record.head_snapshot_id !== found.intent?.parent_snapshot_id) {
    throw new NotAdoptableError(id, 'it is no longer complete, or the head has moved');
  }
  const change = { kind: 'adopt' as const, actor: r.caller.actor, head_snapshot_id: id };
  const adopted = await appendState(lockSite(w), held.record, change);
  if (adopted === 'lost') throw new NotAdoptableError(id, 'the lock was lost');
  failpoint('adopt:append');
  await appendAudit(r, await eventOfState(r, adopted));
  failpoint('adopt:audit');
  await unlinkIfThere(claimed);
  await syncDirectory(r.layout.intents);
}
