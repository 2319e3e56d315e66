import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree, syncTree } from '@jvs/platform/durable-fs';
import { failpoint } from '@jvs/platform/failpoint';
import { appendState, type PendingOperation, type StateRecord } from '@jvs/lock-lease';
import { auditRefusal } from '../audit/event-of-state.ts';
import type { Repository } from '../repository.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { endOperation } from './end-operation.ts';
import { completeBeginning } from './finish-operation.ts';
import { lockSite } from './lock-site.ts';
import { materialize } from './materialize.ts';
import { copyMetadata, keepingFresh, makeOpDirectory } from './op-directory.ts';
import { findState } from './state-log.ts';
import { hasPayload, holdsName, type WorktreeIdentity } from './worktree.ts';

/**
 * An operation is pending and its directory is nowhere: the repository was copied without its runtime files. With the
 * payload in its place, the operation ends there; returned is that record. Otherwise a new directory is made that stands
 * for the lost one, and the operation begins anew with it, to be settled like any other; returned is undefined.
 */
export async function replaceLostDirectory(
  w: WorktreeIdentity,
  record: StateRecord,
  signal: AbortSignal | undefined,
): Promise<StateRecord | undefined> {
  const { repository: r } = w;
  const { pending } = record;
  if (pending === null) return undefined;
  const isRefused = (await completeBeginning(r, record)) === 'refused';
  if (isRefused) await auditRefusal(r, record);
  else if (await isInPlace(w, record.worktree, pending)) {
    const ended = await endOperation(w, record, { kind: 'end' });
    return ended === 'lost' ? undefined : ended;
  }
  const opId = randomUUID();
  const op = await makeOpDirectory(r, opId);
  try {
    if (!isRefused) await keepingFresh(op, () => rebuild(w, record, pending, op, signal));
    await syncTree(op, signal);
    failpoint('settle:rebuild');
    const next = { ...pending, op_id: opId };
    const begun = await appendState(lockSite(w), record, { kind: 'begin', actor: r.caller.actor, pending: next });
    if (begun === 'lost') await removeTree(op, r.layout.tmp);
    return undefined;
  } catch (error) {
    const now = await findState(r, w.id).catch(() => undefined);
    if (now !== undefined && now.pending?.op_id !== opId) await removeTree(op, r.layout.tmp).catch(() => {});
    throw error;
  }
}

/** Whether the payload lies where it lay before the operation, or for a creation where it wants to lie. */
async function isInPlace(w: WorktreeIdentity, name: string, pending: PendingOperation): Promise<boolean> {
  if (pending.op === 'unclaim') return false;
  if (pending.op === 'rename' && (await holdsName(w, pending.to))) return false;
  return (await holdsName(w, name)) && (await hasPayload({ path: w.repository.layout.payload(name) }));
}

async function rebuild(
  w: WorktreeIdentity,
  record: StateRecord,
  pending: PendingOperation,
  op: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { repository: r } = w;
  switch (pending.op) {
    case 'create':
      if (await holdsName(w, record.worktree)) await makeTree(r, pending.snapshot_id, join(op, 'new'), signal);
      else await mkdir(join(op, 'meta'));
      return;
    case 'restore':
      await mkdir(join(op, 'old'));
      await makeTree(r, pending.snapshot_id, join(op, 'new'), signal);
      return;
    case 'rename': {
      const { from, to } = pending;
      const hasName = await holdsName(w, to);
      if (!hasName) await copyMetadata(r, from, op);
      const hasArrived = hasName && (await hasPayload({ path: r.layout.payload(to) }));
      if (!hasArrived) await makeTree(r, record.head_snapshot_id, join(op, 'payload'), signal);
      return;
    }
    case 'remove':
      await mkdir(join(op, 'old'));
      if (!(await holdsName(w, record.worktree))) await mkdir(join(op, 'meta'));
      return;
    case 'unclaim':
  }
}

async function makeTree(
  r: Repository,
  snapshotId: string | null,
  target: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (snapshotId === null) await mkdir(target);
  else await materialize(r, await requireVisible(r, snapshotId), target, { signal });
}
