import { randomUUID } from 'node:crypto';
import type { JsonObject } from '@jvs/platform/canonical-json';
import { timestamp } from '@jvs/platform/clock';
import type { PendingOperation } from '@jvs/lock-lease';
import type { WorktreeIdentity } from './worktree.ts';

/** The fields of record 1: a worktree that is being made from a snapshot or empty, or a name that is to be given back. */
export function firstState(
  { repository: r, name, id }: WorktreeIdentity,
  pending: Extract<PendingOperation, { op: 'create' | 'unclaim' }>,
): JsonObject {
  return {
    actor: r.caller.actor,
    at: timestamp(r.clock.now()),
    event_id: randomUUID(),
    head_snapshot_id: pending.op === 'create' ? pending.snapshot_id : null,
    kind: 'create',
    lock: null,
    pending,
    reason: null,
    worktree: name,
    worktree_id: id,
  };
}
