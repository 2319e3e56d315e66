import { CodedError } from '@jvs/platform/errors';
import { nextState, parseStateRecord, type StateRecord } from '@jvs/lock-lease';
import { appendAudit } from '../audit/audit-log.ts';
import { eventOfState } from '../audit/event-of-state.ts';
import type { AuditOperation } from '../audit/audit-record.ts';
import { stateLog } from './state-log.ts';
import type { Worktree } from './worktree.ts';

/** An operation on the worktree is not finished, and the caller may not finish it. */
export class WorktreePendingError extends CodedError {
  readonly code = 'E_WORKTREE_PENDING';
  constructor(worktree: string, operation: string) {
    super(`An operation on worktree "${worktree}" is not finished: ${operation}`, {
      hint: 'Wait for the holder of its lock, or run "jvs doctor --repair-runtime".',
      details: { worktree, operation },
    });
  }
}

/** Ends a pending operation at exactly the record after `pending`, and says so in the audit log. */
export async function endOperation(
  w: Worktree,
  pending: StateRecord,
  kind: 'end' | 'remove',
  operation?: AuditOperation,
): Promise<StateRecord | 'lost'> {
  const { repository: r } = w;
  const change = { kind, actor: r.caller.actor, pending: null };
  const appended = await stateLog(r, w.id).appendAt(pending.seq + 1, () => nextState(pending, change, r.clock.now()));
  if (appended === 'lost') return 'lost';
  const ended = parseStateRecord(appended);
  const event = await eventOfState(r, ended);
  await appendAudit(r, { ...event, operation: operation ?? event.operation });
  return ended;
}
