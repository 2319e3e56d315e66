import { randomInt, randomUUID } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { removeTree } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { filesystemKind } from '@jvs/platform/filesystem';
import { lockStatus, type PendingOperation, type StateRecord } from '@jvs/lock-lease';
import { hasTakenEffect } from '../audit/event-of-state.ts';
import { NotFoundError } from '../repository-errors.ts';
import { withReserve } from '../reserve.ts';
import { WorktreePendingError } from './end-operation.ts';
import { completeBeginning, finishOperation } from './finish-operation.ts';
import { firstState } from './first-state.ts';
import { cleared, type Remains } from './kept-tree.ts';
import { lockSite } from './lock-site.ts';
import { replaceLostDirectory } from './lost-operation.ts';
import {
  claimOpDirectory,
  contentsOf,
  findOpDirectory,
  isClaimed,
  makeOpDirectory,
  SupersededError,
} from './op-directory.ts';
import { findState, stateLog } from './state-log.ts';
import type { WorktreeIdentity } from './worktree.ts';

/** How a pending operation was settled. */
export interface Settlement extends Remains {
  operation: PendingOperation['op'];
  /** `done`: the worktree is as the operation wanted it. `undone`: as if it had never begun. */
  outcome: 'done' | 'undone';
}

/** A creator that has claimed a name has this long for its first record. */
const CLAIM_MS = 60_000;
/** Clients of a network filesystem may resolve a renamed directory's old name for this long. */
const NETWORK_CACHE_MS = 3000;
const LISTINGS_APART_MS = 1000;

/**
 * Finishes or undoes what an operation on the worktree left pending; undefined when nothing is. By claiming the
 * operation's directory first, so that of author and settlers only the latest moves anything. Protocol:
 * docs/specs/jvs.md, "Pending operations".
 * @throws WorktreePendingError when another holds the lock, or a creation is too young to be given up
 */
export async function settleWorktree(
  w: WorktreeIdentity,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Settlement | undefined> {
  const settled = await withReserve(w.repository.layout, () => settle(w, signal));
  if (settled !== undefined && settled.intruders.length > 0) {
    w.repository.log.warn(
      { worktree: w.name, paths: settled.intruders },
      'something stood in the way and was moved aside',
    );
  }
  return settled;
}

async function settle(w: WorktreeIdentity, signal: AbortSignal | undefined): Promise<Settlement | undefined> {
  let seen: string | undefined;
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    const record = await readOrUnclaim(w);
    const { pending } = record;
    if (pending === null) return undefined;
    await refuseUnlessOurs(w, pending);
    const op = await findSettledLater(w, pending);
    if (op === undefined) {
      const ended = await replaceLostDirectory(w, record, signal);
      if (ended !== undefined) return { operation: pending.op, outcome: outcomeOf(ended, record), intruders: [] };
      continue;
    }
    if (op !== seen && isClaimed(op)) {
      // Another settler is at work: it gets time to finish before its claim is taken from it.
      seen = op;
      await w.repository.clock.sleep(randomInt(50, 150) * attempt, signal);
      continue;
    }
    try {
      const settled = await settleClaimed(w, pending, op);
      if (settled !== undefined) return settled;
    } catch (error) {
      if (!(error instanceof SupersededError)) throw error;
    }
  }
}

/** The state; a name that was claimed a minute ago and has none yet is given back by making its log say so. */
async function readOrUnclaim(w: WorktreeIdentity): Promise<StateRecord> {
  const { repository: r } = w;
  for (;;) {
    const record = await findState(r, w.id);
    if (record !== undefined) return record;
    const { mtimeMs } = await stat(r.layout.worktreeConfig(w.name)).catch((error: unknown) => {
      throw hasCode(error, 'ENOENT') ? new NotFoundError('worktree', w.name, 'Its creation was given up.') : error;
    });
    const left = CLAIM_MS - (r.clock.now() - mtimeMs);
    if (left > 0)
      throw new WorktreePendingError(w.name, 'create', 'Its creator has a minute to go on; try again then.');
    const opId = randomUUID();
    const op = await makeOpDirectory(r, opId);
    const log = stateLog(r, w.id);
    await mkdir(log.directory, { recursive: true });
    const appended = await log.appendAt(1, () => firstState(w, { op: 'unclaim', op_id: opId }));
    if (appended === 'lost') await removeTree(op, r.layout.tmp);
  }
}

async function refuseUnlessOurs(w: WorktreeIdentity, pending: PendingOperation): Promise<void> {
  const { record, mine } = await lockStatus(lockSite(w));
  if (record.lock !== null && !mine) throw new WorktreePendingError(record.worktree, pending.op);
}

/** A missing directory is believed only when it is missing twice. */
async function findSettledLater(w: WorktreeIdentity, { op_id }: PendingOperation): Promise<string | undefined> {
  const { repository: r } = w;
  const found = await findOpDirectory(r, op_id);
  if (found !== undefined) return found;
  await r.clock.sleep(LISTINGS_APART_MS);
  return await findOpDirectory(r, op_id);
}

async function settleClaimed(
  w: WorktreeIdentity,
  pending: PendingOperation,
  op: string,
): Promise<Settlement | undefined> {
  const { repository: r } = w;
  const claimed = await claimOpDirectory(r, pending.op_id, op);
  if (claimed === undefined) return undefined;
  failpoint('settle:claim');
  if (!(await filesystemKind(r.layout.tmp)).local) await r.clock.sleep(NETWORK_CACHE_MS);
  const now = await readOrUnclaim(w);
  if (now.pending?.op_id !== pending.op_id) return undefined;
  await refuseUnlessOurs(w, pending);
  const isRefused = (await completeBeginning(r, now)) === 'refused';
  const inside = await contentsOf(claimed);
  failpoint('settle:judge');
  const ended = await finishOperation({ w, record: now, pending, op: claimed, inside, isRefused });
  if (ended === undefined) return undefined;
  return { operation: pending.op, outcome: outcomeOf(ended, now), ...(await cleared(r, claimed)) };
}

function outcomeOf(ended: StateRecord, begun: StateRecord): Settlement['outcome'] {
  return hasTakenEffect(ended, begun) ? 'done' : 'undone';
}
