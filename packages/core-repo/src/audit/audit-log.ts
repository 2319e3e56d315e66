import { CodedError } from '@jvs/platform/errors';
import { timestamp } from '@jvs/platform/clock';
import { openLog, type ExclusiveLog } from '@jvs/platform/exclusive-log';
import { isThere } from '@jvs/platform/durable-fs';
import type { Repository } from '../repository.ts';
import { parseAuditRecord, type AuditEvent, type AuditRecord } from './audit-record.ts';
import { planCondemns } from './condemned-plan.ts';

/** Garbage collection has begun to delete the snapshot, or has deleted it. */
export class SnapshotCondemnedError extends CodedError {
  readonly code = 'E_SNAPSHOT_CONDEMNED';
  constructor(id: string) {
    super(`Snapshot ${id} is being deleted by garbage collection`, {
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
  const record = await auditLog(r).append(async (previous) => {
    const condemnedPlan = previous === undefined ? null : parseAuditRecord(previous).condemned_plan;
    const { snapshot_id: id } = event;
    if (root && id !== null) {
      const isCondemned = condemnedPlan !== null && (await planCondemns(r, condemnedPlan, id));
      if (isCondemned || !(await isThere(r.layout.snapshot(id)))) throw new SnapshotCondemnedError(id);
    }
    return { ...event, timestamp: timestamp(r.clock.now()), condemned_plan: condemnedPlan };
  });
  return parseAuditRecord(record);
}

/** The hash that a new descriptor is anchored to: the newest audit record's. */
export async function auditAnchor(r: Repository): Promise<string> {
  return (await auditLog(r).tip())?.record_hash ?? '';
}

const HOUR_MS = 3_600_000;

/** Whether an event stands in the chain, searched backwards until records are an hour older than `sinceMs`. */
export async function isAudited(r: Repository, eventId: string, sinceMs: number): Promise<boolean> {
  const log = auditLog(r);
  const tip = await log.tip();
  for (let seq = tip?.seq ?? 0; seq > 0; seq -= 1) {
    const found = seq === tip?.seq ? tip : await log.read(seq);
    if (found === undefined) return false;
    const record = parseAuditRecord(found);
    if (record.event_id === eventId) return true;
    if (Date.parse(record.timestamp) < sinceMs - HOUR_MS) return false;
  }
  return false;
}

/** All events, oldest first, with the chain checked on the way. @throws LogBrokenError */
export async function* auditEvents(r: Repository): AsyncGenerator<AuditRecord> {
  for await (const record of auditLog(r).records()) yield parseAuditRecord(record);
}
