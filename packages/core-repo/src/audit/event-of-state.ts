import { readFile } from 'node:fs/promises';
import type { JsonObject } from '@jvs/platform/canonical-json';
import { sha256 } from '@jvs/platform/digest';
import { hasCode } from '@jvs/platform/errors';
import { isCut, type PendingOperation, type StateRecord } from '@jvs/lock-lease';
import type { Repository } from '../repository.ts';
import { readDescriptor } from '../snapshot/descriptor.ts';
import { stateLog } from '../worktree/state-log.ts';
import { appendAudit, isAudited } from './audit-log.ts';
import type { AuditEvent, AuditOperation } from './audit-record.ts';

/** {@link describeState}, with a note where a text of the user's was too long for a record. */
export async function eventOfState(r: Repository, record: StateRecord): Promise<AuditEvent> {
  const event = await describeState(r, record);
  const isTruncated = [record.reason, record.lock?.purpose].some((text) => typeof text === 'string' && isCut(text));
  return isTruncated ? { ...event, details: { ...event.details, truncated: true } } : event;
}

/**
 * The audit event of a state record. Each state record has exactly one, and all of it follows from the records, so that
 * whoever finds it missing can write it.
 */
async function describeState(r: Repository, record: StateRecord): Promise<AuditEvent> {
  const before = record.seq === 1 ? undefined : await stateLog(r, record.worktree_id).read(record.seq - 1);
  const previous = before as StateRecord | undefined;
  const lock = record.lock ?? previous?.lock ?? null;
  const base = {
    event_id: record.event_id,
    actor: record.actor,
    target: record.worktree,
    snapshot_id: null,
    fencing_token: lock?.fencing_token ?? null,
    session_id: lock?.session_id ?? null,
    reason: record.reason,
  };
  switch (record.kind) {
    case 'acquire':
    case 'steal': {
      const details = { lease_duration_ms: lock?.lease_duration_ms ?? null, purpose: lock?.purpose ?? null };
      return { ...base, operation: record.kind === 'acquire' ? 'lock_acquire' : 'lock_steal', details };
    }
    case 'release':
      return { ...base, operation: 'lock_release', details: {} };
    case 'head':
    case 'adopt': {
      const id = record.head_snapshot_id ?? '';
      const { descriptor_checksum: checksum } = await readDescriptor(r, id);
      const details = { descriptor_checksum: checksum.value, worktree: record.worktree };
      return {
        ...base,
        operation: record.kind === 'head' ? 'snapshot' : 'repair',
        target: id,
        snapshot_id: id,
        details,
      };
    }
    case 'create':
    case 'begin':
      return {
        ...base,
        operation: operationOf(record.pending),
        snapshot_id: snapshotOf(record.pending),
        details: { phase: 'begin', ...(record.kind === 'create' ? await configDigest(r, record.worktree) : {}) },
      };
    case 'end':
    case 'remove': {
      const ended = previous?.pending ?? null;
      const outcome = hasTakenEffect(record, ended) ? 'done' : 'undone';
      return { ...base, operation: operationOf(ended), details: { phase: 'end', outcome } };
    }
  }
}

/** Writes the audit record of the newest state record if it is missing: its maker died between the two. */
export async function backfillAudit(r: Repository, record: StateRecord): Promise<boolean> {
  if (await isAudited(r, record.event_id, Date.parse(record.at))) return false;
  const event = await eventOfState(r, record);
  const addsRoot = record.pending?.op === 'create' || record.pending?.op === 'restore';
  await appendAudit(r, { ...event, details: { ...event.details, recovered: true } }, { root: addsRoot });
  return true;
}

/**
 * Records the beginning of an operation that was refused because its snapshot is condemned: the chain then tells of it,
 * and nothing is made a root.
 */
export async function auditRefusal(r: Repository, record: StateRecord): Promise<void> {
  const event = await eventOfState(r, record);
  await appendAudit(r, { ...event, snapshot_id: null, details: { ...event.details, refused: true } });
}

/** Whether the operation that a record ends did what it was for. */
function hasTakenEffect(end: StateRecord, ended: PendingOperation | null): boolean {
  switch (ended?.op) {
    case 'restore':
      return end.head_snapshot_id === ended.snapshot_id;
    case 'rename':
      return end.worktree === ended.to;
    case 'remove':
      return end.kind === 'remove';
    case 'unclaim':
      return false;
    case 'create':
    case undefined:
      return end.kind === 'end';
  }
}

function operationOf(pending: PendingOperation | null): AuditOperation {
  switch (pending?.op) {
    case 'restore':
      return 'restore';
    case 'rename':
      return 'worktree_rename';
    case 'remove':
      return 'worktree_remove';
    case 'create':
    case 'unclaim':
    case undefined:
      return 'worktree_create';
  }
}

function snapshotOf(pending: PendingOperation | null): string | null {
  return pending?.op === 'create' || pending?.op === 'restore' ? pending.snapshot_id : null;
}

async function configDigest(r: Repository, worktree: string): Promise<JsonObject> {
  try {
    return { object_sha256: sha256(await readFile(r.layout.worktreeConfig(worktree))) };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return {};
    throw error;
  }
}
