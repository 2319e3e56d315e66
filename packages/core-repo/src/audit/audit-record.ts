import * as z from 'zod/mini';
import type { JsonObject } from '@jvs/platform/canonical-json';
import { LogBrokenError, type LogRecord } from '@jvs/platform/exclusive-log';

export const AUDIT_OPERATIONS = [
  'repo_init',
  'worktree_create',
  'worktree_rename',
  'worktree_remove',
  'snapshot',
  'restore',
  'lock_acquire',
  'lock_renew',
  'lock_steal',
  'lock_release',
  'ref_create',
  'ref_delete',
  'gc_plan',
  'gc_mark',
  'gc_run',
  'gc_done',
  'gc_pin',
  'gc_unpin',
  'repair',
  'sync',
] as const;
export type AuditOperation = (typeof AUDIT_OPERATIONS)[number];

/** A record of the audit chain. Format: docs/specs/jvs.md, "Audit". */
export const AuditRecord = z.strictObject({
  actor: z.string(),
  /** The plan that is deleting snapshots just now; copied forward by every record until its `gc_done`. */
  condemned_plan: z.nullable(z.string()),
  details: z.record(z.string(), z.json()),
  event_id: z.uuid(),
  fencing_token: z.nullable(z.int()),
  operation: z.enum(AUDIT_OPERATIONS),
  prev_hash: z.string(),
  reason: z.nullable(z.string()),
  record_hash: z.string(),
  seq: z.int(),
  session_id: z.nullable(z.string()),
  /** The snapshot that this record makes a root of, or is about. */
  snapshot_id: z.nullable(z.string()),
  target: z.nullable(z.string()),
  timestamp: z.string(),
});
export type AuditRecord = z.infer<typeof AuditRecord>;

/** What an audit record tells, before the chain gives it a place. */
export interface AuditEvent {
  event_id: string;
  operation: AuditOperation;
  actor: string;
  target: string | null;
  snapshot_id: string | null;
  fencing_token: number | null;
  session_id: string | null;
  reason: string | null;
  details: JsonObject;
}

/** @throws LogBrokenError */
export function parseAuditRecord(record: LogRecord): AuditRecord {
  const parsed = AuditRecord.safeParse(record);
  if (!parsed.success) throw new LogBrokenError('audit', record.seq, 'does not have the fields of an audit record');
  return parsed.data;
}
