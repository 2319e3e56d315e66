import { randomUUID } from 'node:crypto';
import { CodedError } from '@jvs/platform/errors';
import { timestamp } from '@jvs/platform/clock';
import { openLog, type ExclusiveLog } from '@jvs/platform/exclusive-log';
import { isThereNow } from '@jvs/platform/durable-fs';
import type { Repository } from '../repository.ts';
import { parseAuditRecord, type AuditEvent, type AuditOperation, type AuditRecord } from './audit-record.ts';
import { standsNear } from './find-near.ts';
import { readCondemnedPlan, type CondemnedPlan } from './condemned-plan.ts';

/** Garbage collection has begun to delete the snapshot, or has deleted it. */
export class SnapshotCondemnedError extends CodedError {
  readonly code = 'E_SNAPSHOT_CONDEMNED';
  constructor(id: string, cause?: unknown) {
    super(`Snapshot ${id} is being deleted by garbage collection`, {
      cause,
      hint: 'Choose another snapshot; "jvs history" lists them.',
      details: { snapshot_id: id },
    });
  }
}

export function auditLog(r: Repository): ExclusiveLog {
  return openLog(r.layout.audit, 'audit', { tempDirectory: r.layout.tmp, clock: r.clock });
}

/**
 * Appends an event to the audit chain. With `root`, the event makes a root of its snapshot: it is refused if that is
 * condemned or gone, as of the very record that it follows.
 * @throws SnapshotCondemnedError
 */
export async function appendAudit(r: Repository, event: AuditEvent, { root = false } = {}): Promise<AuditRecord> {
  const log = auditLog(r);
  for (;;) {
    let seen = 0;
    try {
      const record = await log.append(async (previous) => {
        seen = previous?.seq ?? 0;
        const condemnedPlan = previous === undefined ? null : parseAuditRecord(previous).condemned_plan;
        if (root && event.snapshot_id !== null) await refuseCondemned(r, condemnedPlan, event.snapshot_id);
        return { ...event, timestamp: timestamp(r.clock.now()), condemned_plan: condemnedPlan };
      });
      return parseAuditRecord(record);
    } catch (error) {
      // A plan that ended while we looked has no file any more and condemns nothing: its end stands behind what we saw.
      const isStale = error instanceof PlanUnreadableError && (await log.tip())?.seq !== seen;
      if (!isStale) throw error;
    }
  }
}

/** The condemned plan cannot be read, so that nobody can tell whether it deletes the snapshot. */
class PlanUnreadableError extends SnapshotCondemnedError {}

async function refuseCondemned(r: Repository, planId: string | null, snapshotId: string): Promise<void> {
  const plan = planId === null ? undefined : await readCondemnedPlan(r, planId);
  if (plan?.isReadable === false) throw new PlanUnreadableError(snapshotId);
  const isGone = !(await isThereNow(r.layout.snapshot(snapshotId)));
  if (isGone || plan?.covers(snapshotId) === true) throw new SnapshotCondemnedError(snapshotId);
}

/** An event of the calling process, which is about neither a worktree nor a lock. */
export function callersEvent(
  r: Repository,
  operation: AuditOperation,
  facts: Pick<AuditEvent, 'target' | 'details'> & Partial<AuditEvent>,
): AuditEvent {
  return {
    event_id: randomUUID(),
    operation,
    actor: r.caller.actor,
    snapshot_id: null,
    fencing_token: null,
    session_id: r.caller.sessionId,
    reason: null,
    ...facts,
  };
}

/** The newest record, or undefined in an empty log. @throws LogBrokenError */
export async function readAuditTip(r: Repository): Promise<AuditRecord | undefined> {
  const tip = await auditLog(r).tip();
  return tip === undefined ? undefined : parseAuditRecord(tip);
}

/** The plan that the newest record names as being carried out. @throws LogBrokenError */
export async function findCondemnedPlan(r: Repository): Promise<CondemnedPlan | undefined> {
  const planId = (await readAuditTip(r))?.condemned_plan ?? null;
  return planId === null ? undefined : await readCondemnedPlan(r, planId);
}

/** The records from the newest back to the first; whoever looks for something stops there. @throws LogBrokenError */
export async function* auditBackwards(r: Repository): AsyncGenerator<AuditRecord> {
  for await (const record of auditLog(r).recordsBackwards()) yield parseAuditRecord(record);
}

/** The hash that a new descriptor is anchored to: the newest audit record's. */
export async function auditAnchor(r: Repository): Promise<string> {
  return (await auditLog(r).tip())?.record_hash ?? '';
}

const HOUR_MS = 3_600_000;

/** Whether an event stands in the chain, searched backwards until records are an hour older than `sinceMs`. */
export async function isAudited(r: Repository, eventId: string, sinceMs: number): Promise<boolean> {
  const log = auditLog(r);
  if (await standsNear(log, eventId, sinceMs)) return true;
  for await (const record of log.recordsBackwards()) {
    // Not parsed: of a hundred thousand records that an idle worktree has slept through, one is of interest.
    if (record['event_id'] === eventId) return true;
    const { timestamp: at } = record;
    if (typeof at === 'string' && Date.parse(at) < sinceMs - HOUR_MS) return false;
  }
  return false;
}

/** All events, oldest first, with the chain checked on the way. @throws LogBrokenError */
export async function* auditEvents(r: Repository): AsyncGenerator<AuditRecord> {
  for await (const record of auditLog(r).records()) yield parseAuditRecord(record);
}
