import { dirname } from 'node:path';
import { readFile, rmdir } from 'node:fs/promises';
import type { JsonObject } from '@jvs/platform/canonical-json';
import { sha256 } from '@jvs/platform/digest';
import { syncDirectory, unlinkIfThere } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { appendAudit, callersEvent } from '../audit/audit-log.ts';
import type { AuditEvent } from '../audit/audit-record.ts';
import type { Repository } from '../repository.ts';

/** A file that keeps a snapshot alive, and that two audit records vouch for: of its creation, and of its deletion. */
export interface RecordedObject {
  kind: 'ref' | 'pin';
  /** A ref's name, a pin's id. */
  name: string;
  snapshotId: string;
  createdAt: string;
  /** Of the record of its creation. */
  eventId: string;
  path: string;
}

/**
 * Tells of a file that has just been made, which makes its snapshot a root. Where that is refused, or cannot be written
 * down, the file goes again by the ordinary way, and the failure is passed on.
 * @throws SnapshotCondemnedError
 */
export async function recordCreation(r: Repository, object: RecordedObject, facts: CreationFacts): Promise<void> {
  try {
    failpoint(`${object.kind}:file`);
    await appendAudit(r, creationEvent(r, object, facts), { root: true });
    failpoint(`${object.kind}:audit`);
  } catch (error) {
    const { name } = object;
    await deleteObject(r, object).catch((failure: unknown) =>
      r.log.warn({ name, failure }, 'left for a later command'),
    );
    throw error;
  }
}

/** What the record of a creation tells beside the object. */
export interface CreationFacts {
  /** SHA-256 of the file. */
  digest: string;
  reason: string | null;
  details?: JsonObject;
}

/**
 * Records a creation whose author died in between. He may be alive after all: so the file stays even if the record is
 * refused, and the same event twice is one.
 * @throws SnapshotCondemnedError, Node's `ENOENT` when the file is gone
 */
export async function recoverCreation(r: Repository, object: RecordedObject): Promise<void> {
  const facts = { digest: sha256(await readFile(object.path)), reason: null, details: { recovered: true } };
  await appendAudit(r, creationEvent(r, object, facts), { root: true });
}

function creationEvent(
  r: Repository,
  { kind, name, snapshotId, eventId }: RecordedObject,
  { digest, reason, details = {} }: CreationFacts,
): AuditEvent {
  return callersEvent(r, kind === 'ref' ? 'ref_create' : 'gc_pin', {
    event_id: eventId,
    target: name,
    snapshot_id: snapshotId,
    reason,
    details: { object_sha256: digest, ...details },
  });
}

/** Records the deletion, then unlinks this very file; one of the same name that came later has another. */
export async function deleteObject(r: Repository, object: RecordedObject): Promise<void> {
  const { kind, name, snapshotId, eventId } = object;
  const details = { object_event_id: eventId, snapshot_id: snapshotId };
  await appendAudit(r, callersEvent(r, kind === 'ref' ? 'ref_delete' : 'gc_unpin', { target: name, details }));
  failpoint(`${kind}:delete-audit`);
  await removeObject(object);
}

/** What follows the record of a deletion; anybody may do it, any number of times. */
export async function removeObject({ kind, path }: Pick<RecordedObject, 'kind' | 'path'>): Promise<void> {
  await unlinkIfThere(path);
  failpoint(`${kind}:unlink`);
  const directory = dirname(path);
  if (kind === 'pin') await syncDirectory(directory);
  else await removeEmptyRef(directory);
}

/** Removes the directory of a ref that has no file. One that was filled meanwhile is a new ref and stays. */
export async function removeEmptyRef(directory: string): Promise<boolean> {
  const isRemoved = await rmdir(directory).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) return false;
      throw error;
    },
  );
  await syncDirectory(dirname(directory));
  return isRemoved;
}
