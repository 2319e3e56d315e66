import { CodedError } from '@jvs/platform/errors';
import type { JsonObject } from '@jvs/platform/canonical-json';
import { nextState, parseStateRecord, type StateChange, type StateRecord } from '@jvs/lock-lease';
import { appendAudit } from '../audit/audit-log.ts';
import { eventOfState } from '../audit/event-of-state.ts';
import type { AuditOperation } from '../audit/audit-record.ts';
import { withReserve } from '../reserve.ts';
import { removeStatCache } from '../snapshot/stat-cache.ts';
import { stateLog } from './state-log.ts';
import type { WorktreeIdentity } from './worktree.ts';

/** An operation on the worktree is not finished, and the caller may not finish it. */
export class WorktreePendingError extends CodedError {
  readonly code = 'E_WORKTREE_PENDING';
  constructor(
    worktree: string,
    operation: string,
    hint = 'Wait for the holder of its lock, or run "jvs doctor --repair-runtime" once that one is gone.',
  ) {
    super(`An operation on worktree "${worktree}" is not finished: ${operation}`, {
      hint,
      details: { worktree, operation },
    });
  }
}

/** Another command settled the operation while its author stood still, before anything had moved. */
export class OperationUndoneError extends CodedError {
  readonly code = 'E_WORKTREE_PENDING';
  constructor(worktree: string, operation: string) {
    super(`The ${operation} of worktree "${worktree}" was taken over by another command and undone`, {
      hint: 'Nothing changed. Run it again.',
      details: { worktree, operation },
    });
  }
}

/** What the record that ends an operation says. */
export interface Ending {
  kind: 'end' | 'remove';
  /** Default: unchanged. */
  head_snapshot_id?: string;
  /** The worktree's name. Default: unchanged. */
  worktree?: string;
  /** Why, for a restore that has taken effect. */
  reason?: string;
}

/** Ends a pending operation at exactly the record after `pending`, and says so in the audit log; on a full disk too. */
export async function endOperation(
  { repository: r, id }: Pick<WorktreeIdentity, 'repository' | 'id'>,
  pending: StateRecord,
  { kind, head_snapshot_id, worktree, reason }: Ending,
  { operation, details }: { operation?: AuditOperation | undefined; details?: JsonObject | undefined } = {},
): Promise<StateRecord | 'lost'> {
  const next: StateChange = { kind, actor: r.caller.actor, pending: null };
  if (head_snapshot_id !== undefined) next.head_snapshot_id = head_snapshot_id;
  if (worktree !== undefined) next.worktree = worktree;
  if (reason !== undefined) next.reason = reason;
  const log = stateLog(r, id);
  const appended = await withReserve(r.layout, () =>
    log.appendAt(pending.seq + 1, () => nextState(pending, next, r.clock.now())),
  );
  if (appended === 'lost') return 'lost';
  const ended = parseStateRecord(appended);
  const event = await eventOfState(r, ended);
  const told = { ...event, operation: operation ?? event.operation, details: { ...event.details, ...details } };
  await withReserve(r.layout, () => appendAudit(r, told));
  if (kind === 'remove') await removeStatCache(r, id);
  return ended;
}

/** The record that ended what `begun` began; undefined while that is still pending. */
export async function endOf(
  w: Pick<WorktreeIdentity, 'repository' | 'id'>,
  begun: StateRecord,
): Promise<StateRecord | undefined> {
  for await (const line of stateLog(w.repository, w.id).records(begun.seq + 1)) {
    const record = parseStateRecord(line);
    if (record.kind === 'end' || record.kind === 'remove') return record;
  }
  return undefined;
}
