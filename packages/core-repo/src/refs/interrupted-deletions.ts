import { join } from 'node:path';
import { hasCode } from '@jvs/platform/errors';
import { auditBackwards, auditEvents } from '../audit/audit-log.ts';
import type { AuditRecord } from '../audit/audit-record.ts';
import { readPins } from '../gc/pin.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { readRefs } from './ref.ts';
import { removeEmptyRef, removeObject, type RecordedObject } from './recorded-object.ts';

const HOUR_MS = 3_600_000;

/** Refs and pins against what the audit chain says about them. */
export interface ObjectsOnRecord {
  objects: RecordedObject[];
  /** Those whose deletion stands in the chain, so that they ought to be gone. */
  deleted: RecordedObject[];
  /** Those whose creation does not, so that their maker died in between. */
  unrecorded: RecordedObject[];
  /** Directories of refs that have no file any more. */
  emptyRefs: string[];
}

/** @param sinceMs looks only at records since then, and only judges what was made since. Default: everything */
export async function compareWithRecords(r: Repository, { sinceMs = 0 } = {}): Promise<ObjectsOnRecord> {
  const objects = await readRecordedObjects(r);
  const emptyRefs = await findEmptyRefs(r, objects);
  if (objects.length === 0) return { objects, deleted: [], unrecorded: [], emptyRefs };
  const oldestMs = Math.min(...objects.map(({ createdAt }) => Date.parse(createdAt)));
  const created = new Set<string>();
  const deleted = new Set<unknown>();
  const stopMs = Math.max(sinceMs, oldestMs) - HOUR_MS;
  for await (const { timestamp, operation, event_id: eventId, details } of recordsSince(r, sinceMs)) {
    if (Date.parse(timestamp) < stopMs) {
      if (sinceMs > 0) break;
      continue;
    }
    if (operation === 'ref_create' || operation === 'gc_pin') created.add(eventId);
    if (operation === 'ref_delete' || operation === 'gc_unpin') deleted.add(details['object_event_id']);
  }
  return {
    objects,
    deleted: objects.filter(({ eventId }) => deleted.has(eventId)),
    unrecorded: objects.filter(
      ({ eventId, createdAt }) => !created.has(eventId) && !deleted.has(eventId) && Date.parse(createdAt) >= sinceMs,
    ),
    emptyRefs,
  };
}

/** All of a long chain is read forwards, which takes each folded segment once; its newest part from behind. */
function recordsSince(r: Repository, sinceMs: number): AsyncGenerator<AuditRecord> {
  return sinceMs > 0 ? auditBackwards(r) : auditEvents(r);
}

async function readRecordedObjects(r: Repository): Promise<RecordedObject[]> {
  const refs = (await readRefs(r)).map(({ ref, path }): RecordedObject => ({
    kind: 'ref',
    name: ref.ref_name,
    snapshotId: ref.snapshot_id,
    createdAt: ref.created_at,
    eventId: ref.event_id,
    path,
  }));
  const pins = (await readPins(r)).map((pin): RecordedObject => ({
    kind: 'pin',
    name: pin.pin_id,
    snapshotId: pin.snapshot_id,
    createdAt: pin.created_at,
    eventId: pin.event_id,
    path: r.layout.pin(pin.pin_id),
  }));
  return [...refs, ...pins];
}

async function findEmptyRefs(r: Repository, objects: readonly RecordedObject[]): Promise<string[]> {
  const named = new Set(objects.filter(({ kind }) => kind === 'ref').map(({ name }) => name));
  const empty: string[] = [];
  for (const name of (await listDirectory(r.layout.refs)).filter((entry) => !named.has(entry))) {
    const directory = join(r.layout.refs, name);
    const inside = await listDirectory(directory).catch(() => ['unknown']);
    if (inside.length === 0) empty.push(directory);
  }
  return empty;
}

/**
 * Finishes deletions of refs and pins that were recorded and then interrupted. Returns what went, as a user calls it.
 * @param sinceMs how far back in the audit chain to look. Default: all of it
 */
export async function finishDeletions(r: Repository, options: { sinceMs?: number } = {}): Promise<string[]> {
  const { deleted, emptyRefs } = await compareWithRecords(r, options);
  const finished: string[] = [];
  for (const object of deleted) {
    await removeObject(object);
    finished.push(`${object.kind} "${object.name}"`);
  }
  for (const directory of emptyRefs) {
    if (await removeEmptyRef(directory)) finished.push(`ref "${directory.slice(r.layout.refs.length + 1)}"`);
  }
  return finished;
}

/** What every command about refs and pins does first: as {@link finishDeletions}, for the last hour, where it may write. */
export async function finishRecentDeletions(r: Repository): Promise<void> {
  try {
    await finishDeletions(r, { sinceMs: r.clock.now() - HOUR_MS });
  } catch (error) {
    if (!hasCode(error, 'EROFS', 'EACCES', 'EPERM')) throw error;
  }
}
