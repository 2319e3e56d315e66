import type { JsonObject } from '@jvs/platform/canonical-json';
import type { StateRecord } from '@jvs/lock-lease';
import { appendAudit, SnapshotCondemnedError } from '../audit/audit-log.ts';
import { auditRefusal, backfillAudit, eventOfState } from '../audit/event-of-state.ts';
import type { AuditOperation } from '../audit/audit-record.ts';
import type { Repository } from '../repository.ts';
import { endOperation } from './end-operation.ts';
import { makeMoves, type OperationTask } from './operation-moves.ts';

/** What only the author of an operation knows, and so only he can put on record. */
export interface AuthorsWord {
  /** What the audit log calls the operation. Default: what follows from its state record. */
  operation?: AuditOperation | undefined;
  details?: JsonObject | undefined;
}

/**
 * Records the beginning of an operation, which makes a root of its snapshot if it has one. `refused` where that is being
 * deleted: then nothing is recorded yet, and the operation is to be undone.
 */
export async function recordBeginning(
  r: Repository,
  begun: StateRecord,
  { operation, details }: AuthorsWord = {},
): Promise<'recorded' | 'refused'> {
  const event = await eventOfState(r, begun);
  const isRoot = event.snapshot_id !== null;
  return await refusable(() =>
    appendAudit(
      r,
      { ...event, operation: operation ?? event.operation, details: { ...event.details, ...details } },
      { root: isRoot },
    ),
  );
}

/** The same for an operation that another began: only what is missing is recorded. */
export async function completeBeginning(r: Repository, begun: StateRecord): Promise<'recorded' | 'refused'> {
  return await refusable(() => backfillAudit(r, begun));
}

async function refusable(record: () => Promise<unknown>): Promise<'recorded' | 'refused'> {
  try {
    await record();
    return 'recorded';
  } catch (error) {
    if (error instanceof SnapshotCondemnedError) return 'refused';
    throw error;
  }
}

/**
 * Makes the moves that are left of an operation and ends it; undefined when another did.
 * @throws SupersededError when another has claimed its directory
 */
export async function finishOperation(task: OperationTask, word: AuthorsWord = {}): Promise<StateRecord | undefined> {
  const { w, record, isRefused } = task;
  const verdict = await makeMoves(task);
  // After the moves: a later settler finds the refusal on record, asks no more, and judges by what lies inside.
  if (isRefused) await auditRefusal(w.repository, record);
  const ended = await endOperation(w, record, verdict, word);
  return ended === 'lost' ? undefined : ended;
}
