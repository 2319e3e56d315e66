import { randomUUID } from 'node:crypto';
import { mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { prettyJson, wellFormed } from '@jvs/platform/canonical-json';
import { timestamp } from '@jvs/platform/clock';
import { containedPath } from '@jvs/platform/contained-path';
import { isThere, removeTree, syncDirectory, syncTree, writeNew } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { parseStateRecord, readState, type StateRecord } from '@jvs/lock-lease';
import { appendAudit, SnapshotCondemnedError } from '../audit/audit-log.ts';
import { auditRefusal, eventOfState } from '../audit/event-of-state.ts';
import type { AuditOperation } from '../audit/audit-record.ts';
import { listDirectory } from '../list-directory.ts';
import { checkName } from '../names.ts';
import { ExistsError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { materialize, type Materialized, type MaterializeOptions } from './materialize.ts';
import { endOperation, WorktreePendingError } from './end-operation.ts';
import { lockSite } from './lock-site.ts';
import { makeOpDirectory, moveIntoPlace } from './op-directory.ts';
import { settleWorktree } from './settle.ts';
import { stateLog } from './state-log.ts';
import { worktreeNames, worktreeOf, type Worktree } from './worktree.ts';
import type { WorktreeConfig } from './worktree-config.ts';

export interface CreateWorktreeOptions extends MaterializeOptions {
  /** The snapshot that it starts from. Default: none, an empty payload. */
  from?: string | undefined;
  label?: string | undefined;
  /** What the audit log calls it. Default: `worktree_create`. */
  operation?: AuditOperation | undefined;
}

export interface CreatedWorktree extends Materialized {
  worktree: Worktree;
  /** Where a directory that stood in the way of the payload was put. */
  intruders: string[];
}

/**
 * Makes a worktree with a payload of its own. The tree is whole and durable before its name is claimed; the name is
 * claimed by one rename, so among many only one gets it; what a crash interrupts, the next command settles.
 * @throws NameInvalidError, ExistsError, PartialSnapshotError, PayloadMismatchError, SnapshotCondemnedError
 */
export async function createWorktree(
  r: Repository,
  name: string,
  { from, label, operation, ...options }: CreateWorktreeOptions = {},
): Promise<CreatedWorktree> {
  checkName('worktree', name);
  const descriptor = from === undefined ? undefined : await requireVisible(r, from);
  await refuseTakenName(r, name);
  const opId = randomUUID();
  const config: WorktreeConfig = {
    worktree_id: randomUUID(),
    isolation: 'exclusive',
    created_at: timestamp(r.clock.now()),
    base_snapshot_id: from ?? null,
    label: label === undefined ? null : wellFormed(label),
  };
  const op = await makeOpDirectory(r, opId);
  let made: Materialized = { content: 'verified', degradations: [] };
  try {
    await mkdir(join(op, 'meta'));
    await writeNew(join(op, 'meta', 'config.json'), prettyJson(config), true);
    if (descriptor === undefined) await mkdir(join(op, 'new'));
    else made = await materialize(r, descriptor, join(op, 'new'), options);
    await mkdir(r.layout.state(config.worktree_id));
    await syncTree(op);
    failpoint('create:opdir');
    await claimName(r, join(op, 'meta'), name);
  } catch (error) {
    await removeTree(op, r.layout.tmp).catch(() => {});
    await rmdir(r.layout.state(config.worktree_id)).catch(() => {});
    throw error;
  }
  failpoint('create:claim');
  const worktree = worktreeOf(r, name, config);
  const created = await register(worktree, opId, from ?? null, operation);
  return { worktree, intruders: await arrive(worktree, created, op, operation), ...made };
}

/** Looks before much is copied; the claim itself is what decides. Names are unique without regard to case. */
async function refuseTakenName(r: Repository, name: string): Promise<void> {
  const taken = (await worktreeNames(r)).find((other) => other.toLowerCase() === name.toLowerCase());
  if (taken !== undefined) throw new ExistsError('worktree', taken, 'Choose another name.');
  const path = r.layout.payload(name);
  await containedPath(r.root, path);
  if (await isThere(path)) throw new ExistsError('directory', path, 'Move it away or choose another name.');
  const beside = await listDirectory(join(path, '..'));
  const clash = beside.find((other) => other.toLowerCase() === name.toLowerCase());
  if (clash !== undefined) throw new ExistsError('directory', clash, 'Names are unique without regard to case.');
}

async function claimName(r: Repository, meta: string, name: string): Promise<void> {
  await mkdir(join(r.layout.payload(name), '..'), { recursive: true });
  try {
    await rename(meta, r.layout.worktreeMeta(name));
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'))
      throw new ExistsError('worktree', name, 'Choose another name.');
    throw error;
  }
  await syncDirectory(r.layout.worktrees);
}

/** State record 1 and its audit record, under the rule for what makes a snapshot a root. */
async function register(
  w: Worktree,
  opId: string,
  snapshotId: string | null,
  operation: AuditOperation | undefined,
): Promise<StateRecord> {
  const { repository: r } = w;
  const log = stateLog(r, w.id);
  const appended = await log.appendAt(1, () => ({
    actor: r.caller.actor,
    at: timestamp(r.clock.now()),
    event_id: randomUUID(),
    head_snapshot_id: snapshotId,
    kind: 'create',
    lock: null,
    pending: { op: 'create', op_id: opId, snapshot_id: snapshotId },
    reason: null,
    worktree: w.name,
    worktree_id: w.id,
  }));
  if (appended === 'lost') throw new WorktreePendingError(w.name, 'create');
  failpoint('create:record');
  const created = parseStateRecord(appended);
  const event = await eventOfState(r, created);
  try {
    await appendAudit(r, { ...event, operation: operation ?? event.operation }, { root: true });
  } catch (error) {
    if (error instanceof SnapshotCondemnedError) await withdraw(w, created, opId);
    throw error;
  }
  failpoint('create:audit');
  return created;
}

/**
 * Moves the payload into its place and ends the operation. Where another process has claimed it meanwhile, that one has
 * ended it or is about to, and what the log then says is the outcome.
 */
async function arrive(
  w: Worktree,
  created: StateRecord,
  op: string,
  operation: AuditOperation | undefined,
): Promise<string[]> {
  try {
    const intruders = await moveIntoPlace(op, 'new', w.path);
    await syncDirectory(join(w.path, '..'));
    failpoint('create:payload');
    if ((await endOperation(w, created, 'end', operation)) !== 'lost') {
      failpoint('create:end');
      if (intruders.length === 0) await removeTree(op, w.repository.layout.tmp);
      return intruders;
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await settleWorktree(w);
  if ((await readState(lockSite(w))).kind === 'remove') throw new WorktreePendingError(w.name, 'create');
  return [];
}

/** The name is given back, and the worktree never was. */
async function withdraw(w: Worktree, created: StateRecord, opId: string): Promise<void> {
  const { repository: r } = w;
  const op = r.layout.opDirectory(opId);
  await rename(r.layout.worktreeMeta(w.name), join(op, 'meta'));
  await syncDirectory(r.layout.worktrees);
  await auditRefusal(r, created);
  await endOperation(w, created, 'remove');
  await removeTree(op, r.layout.tmp);
}
