import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, unlinkIfThere } from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { acquireLock, appendState, readState, releaseLock } from '@jvs/lock-lease';
import { appendAudit } from '../audit/audit-log.ts';
import { eventOfState } from '../audit/event-of-state.ts';
import { AmbiguousIdError } from '../history/resolve-snapshot.ts';
import { NotFoundError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { dropIntent } from '../snapshot/drop-snapshot.ts';
import { findIntents, type FoundIntent } from '../snapshot/intent.ts';
import { isComplete } from '../snapshot/visible.ts';
import { verifySnapshotTree } from '../verify/verify-snapshot.ts';
import { WorktreePendingError } from '../worktree/end-operation.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { settleWorktree } from '../worktree/settle.ts';
import { openWorktrees, type Worktree } from '../worktree/worktree.ts';
import type { Repair } from './finding.ts';

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

interface Candidate {
  found: FoundIntent;
  w: Worktree;
}

/** Complete snapshots that were never committed, of worktrees that are still there. */
async function uncommitted(r: Repository): Promise<Candidate[]> {
  const worktrees = await openWorktrees(r);
  const candidates: Candidate[] = [];
  for (const found of await findIntents(r)) {
    const w = worktrees.find(({ id }) => id === found.intent.worktree_id);
    if (w !== undefined && found.state === 'dead' && (await isComplete(r, found.snapshotId)))
      candidates.push({ found, w });
  }
  return candidates;
}

/**
 * `advance_head`: makes a complete but uncommitted snapshot the head of its worktree. The claim carries the number of the
 * record that will take it, so that a frozen adopter's claim is dead as soon as that number is taken.
 * @throws NotFoundError, AmbiguousIdError, LockConflictError, NotAdoptableError
 */
export async function advanceHead(r: Repository): Promise<Repair[]> {
  const candidates: Candidate[] = [];
  for (const candidate of await uncommitted(r)) {
    const { head_snapshot_id: head } = await readState(lockSite(candidate.w));
    if (head === candidate.found.intent.parent_snapshot_id) candidates.push(candidate);
  }
  const [first, ...others] = candidates;
  if (first === undefined)
    throw new NotFoundError('uncommitted snapshot to advance to', 'head', 'Run "jvs doctor" to see findings.');
  if (others.length > 0) {
    const ids = candidates.map(({ found }) => found.snapshotId);
    throw new AmbiguousIdError('advance_head', ids);
  }
  return [await adopt(r, first)];
}

async function adopt(r: Repository, { found, w }: Candidate): Promise<Repair> {
  const id = found.snapshotId;
  const site = lockSite(w);
  await settleWorktree(w);
  const held = await acquireLock(site, { purpose: `advance the head to ${id}` });
  await appendAudit(r, await eventOfState(r, held.record));
  failpoint('adopt:acquire');
  try {
    if (held.record.pending !== null) throw new WorktreePendingError(w.name, held.record.pending.op);
    const isWhole = (await verifySnapshotTree(r, id)).payload_hash_valid === true;
    if (!isWhole) throw new NotAdoptableError(id, 'its contents are not what was published');
    const seq = held.record.seq + 1;
    const claimed = join(r.layout.intents, `${id}.adopt-${seq}`);
    await rename(found.path, claimed).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) throw new NotAdoptableError(id, 'another process has claimed it');
      throw error;
    });
    await syncDirectory(r.layout.intents);
    failpoint('adopt:claim');
    if (!(await isComplete(r, id)) || held.record.head_snapshot_id !== found.intent.parent_snapshot_id) {
      throw new NotAdoptableError(id, 'it is no longer complete, or the head has moved');
    }
    const change = { kind: 'adopt' as const, actor: r.caller.actor, head_snapshot_id: id };
    const adopted = await appendState(site, held.record, change);
    if (adopted === 'lost') throw new NotAdoptableError(id, 'the lock was lost');
    failpoint('adopt:append');
    await appendAudit(r, await eventOfState(r, adopted));
    failpoint('adopt:audit');
    await unlinkIfThere(claimed);
    await syncDirectory(r.layout.intents);
  } finally {
    const released = await releaseLock(site).catch((error: unknown) => {
      if (!(error instanceof CodedError)) throw error;
      return undefined;
    });
    if (released !== undefined) await appendAudit(r, await eventOfState(r, released));
  }
  return { repair: 'advance_head', description: `Made snapshot ${id} the head of worktree "${w.name}".` };
}

/** `drop_orphan`: deletes complete snapshots that were never committed. */
export async function dropOrphans(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const { found, w } of await uncommitted(r)) {
    if (!(await dropIntent(r, found))) continue;
    repairs.push({
      repair: 'drop_orphan',
      description: `Deleted the uncommitted snapshot ${found.snapshotId} of worktree "${w.name}".`,
    });
  }
  return repairs;
}
