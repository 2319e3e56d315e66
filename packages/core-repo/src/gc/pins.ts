import { randomUUID } from 'node:crypto';
import { prettyJson, wellFormed } from '@jvs/platform/canonical-json';
import { timestamp } from '@jvs/platform/clock';
import { sha256 } from '@jvs/platform/digest';
import { writeOnce } from '@jvs/platform/durable-fs';
import { cutText } from '@jvs/lock-lease';
import { finishRecentDeletions } from '../refs/interrupted-deletions.ts';
import { deleteObject, recordCreation } from '../refs/recorded-object.ts';
import { NotFoundError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { findPin, isExpired, readPins, type Pin } from './pin.ts';

export interface PinOptions {
  /** Why it must stay. Default: none given. */
  reason?: string | undefined;
  /** Until when, ms since 1970. Default: until it is unpinned. */
  untilMs?: number | undefined;
}

/**
 * Keeps a snapshot from garbage collection.
 * @param id a full snapshot id
 * @throws NotFoundError, PartialSnapshotError, SnapshotCondemnedError
 */
export async function pin(r: Repository, id: string, { reason = '', untilMs }: PinOptions = {}): Promise<Pin> {
  await finishRecentDeletions(r);
  await requireVisible(r, id);
  const made: Pin = {
    pin_id: randomUUID(),
    snapshot_id: id,
    reason: wellFormed(reason),
    created_at: timestamp(r.clock.now()),
    expires_at: untilMs === undefined ? null : timestamp(untilMs),
    event_id: randomUUID(),
  };
  const text = prettyJson(made);
  const path = r.layout.pin(made.pin_id);
  await writeOnce(path, text, r.layout.tmp);
  const shown = cutText(made.reason);
  const expires = { expires_at: made.expires_at };
  const details = shown === made.reason ? expires : { ...expires, truncated: true };
  await recordCreation(
    r,
    { kind: 'pin', name: made.pin_id, snapshotId: id, createdAt: made.created_at, eventId: made.event_id, path },
    { digest: sha256(text), reason: shown === '' ? null : shown, details },
  );
  return made;
}

/** @throws NotFoundError */
export async function unpin(r: Repository, pinId: string): Promise<{ removed: string }> {
  await finishRecentDeletions(r);
  const found = await findPin(r, pinId);
  if (found === undefined) throw new NotFoundError('pin', pinId, 'Run "jvs gc pin --list" to see them.');
  await deleteObject(r, {
    kind: 'pin',
    name: pinId,
    snapshotId: found.snapshot_id,
    createdAt: found.created_at,
    eventId: found.event_id,
    path: r.layout.pin(pinId),
  });
  return { removed: pinId };
}

/** A pin, and whether its time is over, so that it protects nothing any more. */
export type PinListing = Pin & { expired: boolean };

/** All pins, oldest first. @throws DescriptorCorruptError */
export async function listPins(r: Repository): Promise<PinListing[]> {
  await finishRecentDeletions(r);
  const nowMs = r.clock.now();
  return (await readPins(r)).map((found) => ({ ...found, expired: isExpired(found, nowMs) }));
}
