import { randomInt, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { timestamp } from '@jvs/platform/clock';
import { removeTree, syncDirectory, syncTree } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { filesystemKind } from '@jvs/platform/filesystem';
import { appendState, lockStatus, parseStateRecord, type PendingOperation, type StateRecord } from '@jvs/lock-lease';
import { SnapshotCondemnedError } from '../audit/audit-log.ts';
import { auditRefusal, backfillAudit } from '../audit/event-of-state.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { endOperation, WorktreePendingError } from './end-operation.ts';
import { lockSite } from './lock-site.ts';
import { materialize } from './materialize.ts';
import { claimOpDirectory, findOpDirectory, isClaimed, makeOpDirectory, moveIntoPlace } from './op-directory.ts';
import { stateLog } from './state-log.ts';
import { hasPayload, type Worktree } from './worktree.ts';

/** How a pending operation was settled. */
export interface Settlement {
  operation: PendingOperation['op'];
  /** `done`: the worktree is as the operation wanted it. `undone`: as if it had never begun. */
  outcome: 'done' | 'undone';
  intruders: string[];
}

/** A creator that has claimed a name gets this long for its first record. */
const UNBORN_MS = 60_000;
/** Clients of a network filesystem may resolve a renamed directory's old name for this long. */
const NETWORK_CACHE_MS = 3000;
const LISTINGS_APART_MS = 1000;

/**
 * Finishes or undoes what an operation on the worktree left pending; undefined when nothing is. By claiming the
 * operation's directory first, so that of author and settlers only the latest moves anything. Protocol:
 * docs/specs/jvs.md, "Pending operations".
 * @throws WorktreePendingError when another holds the lock, or the operation is one that this version cannot settle
 */
export async function settleWorktree(
  w: Worktree,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Settlement | undefined> {
  let seen: string | undefined;
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    const record = await readOrUnclaim(w);
    const { pending } = record;
    if (pending === null) return undefined;
    await refuseUnlessOurs(w, pending);
    const op = await findSettledLater(w, pending);
    if (op === undefined) {
      const restored = await replaceLostDirectory(w, record, pending);
      if (restored === undefined) continue;
      return restored;
    }
    if (op !== seen && isClaimed(op)) {
      // Another settler is at work: it gets time to finish before its claim is taken from it.
      seen = op;
      await w.repository.clock.sleep(randomInt(50, 150) * attempt, signal);
      continue;
    }
    const settled = await settleClaimed(w, pending, op);
    if (settled !== undefined) return settled;
  }
}

/** The state; a name that was claimed a minute ago and has none yet is given back by making its log say so. */
async function readOrUnclaim(w: Worktree): Promise<StateRecord> {
  const { repository: r } = w;
  const log = stateLog(r, w.id);
  const tip = await log.tip().catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
    return undefined;
  });
  if (tip !== undefined) return parseStateRecord(tip);
  const { mtimeMs } = await stat(r.layout.worktreeConfig(w.name));
  if (r.clock.now() - mtimeMs < UNBORN_MS) throw new WorktreePendingError(w.name, 'create');
  const opId = randomUUID();
  await makeOpDirectory(r, opId);
  await mkdir(log.directory, { recursive: true });
  await log.appendAt(1, () => ({
    actor: r.caller.actor,
    at: timestamp(r.clock.now()),
    event_id: randomUUID(),
    head_snapshot_id: null,
    kind: 'create',
    lock: null,
    pending: { op: 'unclaim', op_id: opId },
    reason: null,
    worktree: w.name,
    worktree_id: w.id,
  }));
  return await readOrUnclaim(w);
}

async function refuseUnlessOurs(w: Worktree, pending: PendingOperation): Promise<void> {
  const { record, mine } = await lockStatus(lockSite(w));
  const isOurs = record.lock === null || mine;
  if (!isOurs || (pending.op !== 'create' && pending.op !== 'unclaim'))
    throw new WorktreePendingError(w.name, pending.op);
}

/** A missing directory is believed only when it is missing twice. */
async function findSettledLater(w: Worktree, { op_id }: PendingOperation): Promise<string | undefined> {
  const { repository: r } = w;
  const found = await findOpDirectory(r, op_id);
  if (found !== undefined) return found;
  await r.clock.sleep(LISTINGS_APART_MS);
  return await findOpDirectory(r, op_id);
}

async function settleClaimed(w: Worktree, pending: PendingOperation, op: string): Promise<Settlement | undefined> {
  const { repository: r } = w;
  const claimed = await claimOpDirectory(r, pending.op_id, op);
  if (claimed === undefined) return undefined;
  failpoint('settle:claim');
  if (!(await filesystemKind(r.layout.tmp)).local) await r.clock.sleep(NETWORK_CACHE_MS);
  const now = await readOrUnclaim(w);
  if (now.pending?.op_id !== pending.op_id) return undefined;
  await refuseUnlessOurs(w, pending);
  const isRefused = await backfillAudit(r, now).then(
    () => false,
    (error: unknown) => {
      if (error instanceof SnapshotCondemnedError) return true;
      throw error;
    },
  );
  const inside = await readdir(claimed).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  // Missing is not empty: somebody claimed it after us.
  if (inside === undefined) return undefined;
  const isUndone = pending.op === 'unclaim' || isRefused || inside.includes('meta');
  failpoint('settle:judge');
  try {
    const intruders = isUndone ? await giveNameBack(w, claimed, inside) : await arrive(w, claimed, inside);
    // After the move: a later settler finds the refusal on record, asks no more, and judges by what lies inside.
    if (isRefused) await auditRefusal(r, now);
    if ((await endOperation(w, now, isUndone ? 'remove' : 'end')) === 'lost') return undefined;
    if (intruders.length === 0) await removeTree(claimed, r.layout.tmp);
    return { operation: pending.op, outcome: isUndone ? 'undone' : 'done', intruders };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function giveNameBack(w: Worktree, op: string, inside: readonly string[]): Promise<string[]> {
  const { layout } = w.repository;
  if (!inside.includes('meta')) await rename(layout.worktreeMeta(w.name), join(op, 'meta'));
  await syncDirectory(layout.worktrees);
  return [];
}

async function arrive(w: Worktree, op: string, inside: readonly string[]): Promise<string[]> {
  if (!inside.includes('new')) return [];
  const intruders = await moveIntoPlace(op, 'new', w.path);
  if (intruders.length > 0) failpoint('settle:intruder');
  await syncDirectory(join(w.path, '..'));
  return intruders;
}

/** The repository was copied without its runtime files: the payload is in place, or is made again from its snapshot. */
async function replaceLostDirectory(
  w: Worktree,
  record: StateRecord,
  pending: PendingOperation,
): Promise<Settlement | undefined> {
  const { repository: r } = w;
  if (await hasPayload(w)) {
    await backfillAudit(r, record);
    const ended = await endOperation(w, record, 'end');
    return ended === 'lost' ? undefined : { operation: pending.op, outcome: 'done', intruders: [] };
  }
  const opId = randomUUID();
  const op = await makeOpDirectory(r, opId);
  const id = record.head_snapshot_id;
  if (pending.op === 'create' && id !== null) await materialize(r, await requireVisible(r, id), join(op, 'new'), {});
  else if (pending.op === 'create') await mkdir(join(op, 'new'));
  await syncTree(op);
  failpoint('settle:rebuild');
  await appendState(lockSite(w), record, {
    kind: 'begin',
    actor: r.caller.actor,
    pending: { ...pending, op_id: opId },
  });
  return undefined;
}
