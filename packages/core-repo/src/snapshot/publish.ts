import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isThereNow,
  syncDirectory,
  syncTree,
  unlinkIfThere,
  writeNew,
  writeOnce,
  writeOnceUnsynced,
} from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { filesystemKind } from '@jvs/platform/filesystem';
import {
  appendState,
  FencingMismatchError,
  readState,
  type HeldLock,
  type LockSite,
  type StateRecord,
} from '@jvs/lock-lease';
import { appendAudit } from '../audit/audit-log.ts';
import { eventOfState } from '../audit/event-of-state.ts';
import { READY_FILE } from '../layout.ts';
import type { Repository } from '../repository.ts';
import { serializeDescriptor, type Descriptor } from './descriptor.ts';
import { abandonSnapshot } from './drop-snapshot.ts';
import { intentPath, serializeIntent, type Intent } from './intent.ts';
import { serializeReadyMarker } from './ready-marker.ts';
import { keepingDirectory } from './root-directory.ts';

/** The head of the worktree is no longer the snapshot that this one was made on, though the lock is still ours. */
export class HeadMovedError extends CodedError {
  readonly code = 'E_HEAD_MOVED';
  constructor(worktree: string) {
    super(`The head of worktree "${worktree}" moved while the snapshot was being made`, {
      hint: 'Another command of the same session was faster. Run the snapshot again.',
      details: { worktree },
    });
  }
}

/** Step 2: from here on others see that something is being made, and until when it counts. */
export async function announceSnapshot(r: Repository, intent: Intent): Promise<void> {
  await writeOnce(intentPath(r, intent.snapshot_id), serializeIntent(intent), r.layout.tmp);
}

/** A snapshot whose copy is whole and described, waiting to be published. */
export interface PreparedSnapshot {
  descriptor: Descriptor;
  /** The bytes of its manifest in its stored form, as a byte string. */
  manifest: string;
}

export interface PlaceOptions {
  /** Throws when the lock is lost. */
  check: () => Promise<unknown>;
  signal: AbortSignal;
}

/** Steps 7 to 10: everything durable, then the names under which others look. */
export async function placeSnapshot(
  r: Repository,
  held: HeldLock,
  site: LockSite,
  { descriptor, manifest }: PreparedSnapshot,
  { check, signal }: PlaceOptions,
): Promise<void> {
  const id = descriptor.snapshot_id;
  const { layout } = r;
  const copy = layout.unfinishedSnapshot(id);
  // One syncfs of the copy covers the manifest too; where that is not honoured, each file is synced by itself.
  const { honoursSyncfs } = await filesystemKind(copy);
  const write = honoursSyncfs ? writeOnceUnsynced : writeOnce;
  await write(layout.manifest(id), Buffer.from(manifest, 'latin1'), layout.tmp);
  failpoint('publish:manifest-link');

  await keepingDirectory(copy, () => writeNew(join(copy, READY_FILE), serializeReadyMarker(descriptor), false));
  await syncTree(copy, signal);
  failpoint('publish:ready');

  await check();
  // What the commit would have to do first, while a failure can still undo everything.
  await site.beforeAppend(held.record);
  const isOpen = (await isThereNow(intentPath(r, id))) && (await site.log.read(held.record.seq + 1)) === undefined;
  if (!isOpen) throw await lostError(site, held);
  try {
    await rename(copy, layout.snapshot(id));
  } catch (error) {
    // Renamed away by whoever found our intent dead.
    if (hasCode(error, 'ENOENT')) throw await lostError(site, held);
    throw error;
  }
  await syncDirectory(layout.snapshots);
  failpoint('publish:rename');

  await writeOnce(layout.descriptor(id), serializeDescriptor(descriptor), layout.tmp);
  failpoint('publish:descriptor');
}

/**
 * Steps 11 and 12: the state record that decides, its audit record, and the end of the intent. The record is a
 * compare-and-swap against the very state that the snapshot was made on, so one that was frozen and lost its lease
 * fails here, whatever any clock says.
 * @throws FencingMismatchError, HeadMovedError when another record came first; the snapshot is then dropped
 */
export async function commitSnapshot(r: Repository, held: HeldLock, site: LockSite, id: string): Promise<StateRecord> {
  const committed = await appendHead(r, held, site, id);
  failpoint('publish:commit');
  await appendAudit(r, await eventOfState(r, committed));
  failpoint('publish:audit');
  await unlinkIfThere(intentPath(r, id));
  await syncDirectory(r.layout.intents);
  failpoint('publish:intent-unlink');
  return committed;
}

async function appendHead(r: Repository, held: HeldLock, site: LockSite, id: string): Promise<StateRecord> {
  let appended: StateRecord | 'lost';
  try {
    appended = await appendState(site, held.record, { kind: 'head', actor: site.caller.actor, head_snapshot_id: id });
  } catch (error) {
    // On a full disk nothing was linked; after any other failure only the log knows, and the next command reads it there:
    // a link that a server has not answered may yet be made, so that the snapshot must not go away under it.
    if (hasCode(error, 'ENOSPC', 'EDQUOT') && (await site.log.read(held.record.seq + 1)) === undefined) {
      await abandonSnapshot(r, id);
    }
    throw error;
  }
  if (appended !== 'lost') return appended;
  await abandonSnapshot(r, id);
  throw await lostError(site, held);
}

/** Files of ours that vanish were removed by whoever found our commit impossible: that is the failure, not the missing file. */
export async function lossBehind(error: unknown, site: LockSite, held: HeldLock): Promise<unknown> {
  if (!hasCode(error, 'ENOENT')) return error;
  const { seq } = await readState(site);
  return seq === held.record.seq ? error : await lostError(site, held);
}

/** Why an author may not go on, by the lock as it is now. */
async function lostError(site: LockSite, held: HeldLock): Promise<CodedError> {
  const now = await readState(site);
  return now.lock?.fencing_token === held.lock.fencing_token
    ? new HeadMovedError(site.worktree)
    : new FencingMismatchError(site.worktree, held.lock.fencing_token, now);
}
