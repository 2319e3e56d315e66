import { readFile } from 'node:fs/promises';
import type { JsonObject } from '@jvs/platform/canonical-json';
import { sha256 } from '@jvs/platform/digest';
import { hasCode } from '@jvs/platform/errors';
import { isCut, parseStateRecord, type PendingOperation, type StateRecord } from '@jvs/lock-lease';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { stateLog } from '../worktree/state-log.ts';
import { appendAudit, isAudited } from './audit-log.ts';
import type { AuditEvent, AuditOperation } from './audit-record.ts';
import { parseResetReason, type StateReset } from './reset-reason.ts';

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
  const previous = before === undefined ? undefined : parseStateRecord(before);
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
      const details = { descriptor_checksum: await checksumOf(r, id), worktree: record.worktree };
      return {
        ...base,
        operation: record.kind === 'head' ? 'snapshot' : 'repair',
        target: id,
        snapshot_id: id,
        details,
      };
    }
    case 'create':
    case 'begin': {
      const reset = record.kind === 'create' ? parseResetReason(record.reason) : undefined;
      if (reset !== undefined) return await describeReset(r, record, base, reset);
      return {
        ...base,
        operation: operationOf(record.pending),
        snapshot_id: snapshotOf(record.pending),
        details: {
          phase: 'begin',
          ...aboutOperation(record.pending, record),
          ...(record.kind === 'create' ? await configDigest(r, record.worktree) : {}),
        },
      };
    }
    case 'end':
    case 'remove': {
      const ended = previous?.pending ?? null;
      const outcome = hasTakenEffect(record, previous) ? 'done' : 'undone';
      const about = previous === undefined ? {} : aboutOperation(ended, previous);
      return { ...base, operation: operationOf(ended), details: { phase: 'end', outcome, ...about } };
    }
  }
}

/** A log that replaces a broken one: the record names both worktree ids, and the configuration that is replaced. */
async function describeReset(
  r: Repository,
  record: StateRecord,
  base: Omit<AuditEvent, 'operation' | 'details'>,
  { oldWorktreeId, oldConfigSha256 }: StateReset,
): Promise<AuditEvent> {
  const ids = { old_worktree_id: oldWorktreeId, worktree_id: record.worktree_id };
  const digests = { old_object_sha256: oldConfigSha256, ...(await configDigest(r, record.worktree)) };
  const details = { repair: 'reset_state', ...ids, ...digests };
  return { ...base, operation: 'repair', snapshot_id: record.head_snapshot_id, details };
}

/** Null where the descriptor is lost or damaged: the event is told all the same, or nothing more could be recorded. */
async function checksumOf(r: Repository, id: string): Promise<string | null> {
  const descriptor = await findDescriptor(r, id).catch((error: unknown) => {
    if (hasCode(error, 'E_DESCRIPTOR_CORRUPT')) return undefined;
    throw error;
  });
  return descriptor?.descriptor_checksum.value ?? null;
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

/** What the chain tells of an operation, from its first record to its last. */
function aboutOperation(pending: PendingOperation | null, { head_snapshot_id: head, lock }: StateRecord): JsonObject {
  if (pending?.op === 'restore') return { mode: 'inplace', previous_head: head, holder_id: lock?.holder_id ?? null };
  return pending?.op === 'rename' ? { from: pending.from, to: pending.to } : {};
}

/** Whether the operation that a record ends, and `begun` shows as pending, did what it was for. */
export function hasTakenEffect(end: StateRecord, begun: StateRecord | undefined): boolean {
  const ended = begun?.pending;
  switch (ended?.op) {
    case 'restore':
      // Where the head was restored, it does not tell; an end without effect has no reason.
      return (
        end.head_snapshot_id === ended.snapshot_id &&
        (end.head_snapshot_id !== begun?.head_snapshot_id || end.reason !== null)
      );
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
