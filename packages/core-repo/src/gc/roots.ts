import { parseStateRecord } from '@jvs/lock-lease';
import type { ExclusiveLog } from '@jvs/platform/exclusive-log';
import { LogBrokenError } from '@jvs/platform/exclusive-log';
import { hasCode } from '@jvs/platform/errors';
import { auditBackwards } from '../audit/audit-log.ts';
import { listDirectory } from '../list-directory.ts';
import { readRefs } from '../refs/ref.ts';
import type { Repository } from '../repository.ts';
import { findIntents } from '../snapshot/intent.ts';
import { stateLog, stateLogIds } from '../worktree/state-log.ts';
import { readWorktreeConfig } from '../worktree/worktree-config.ts';
import { isExpired, readPins } from './pin.ts';

/** What keeps snapshots alive, by the reason that a plan tells. */
export interface Roots {
  /** Heads of worktrees, now and in the last days, and what a pending operation is about to make one. */
  heads: Set<string>;
  refs: Set<string>;
  pins: Set<string>;
  /** Snapshots in publication, their parents, and what was used just now, which a lagging listing may not show. */
  intents: Set<string>;
}

const REFLOG_MS = 7 * 86_400_000;
const JUST_NOW_MS = 600_000;

/**
 * Reads all roots as of `nowMs`. To be called after the candidates were read: what becomes a root in between is seen.
 * @param worktreeIds of the snapshots there are: each must have a state log that says what its head is
 * @throws LogBrokenError, DescriptorCorruptError: with one unknown, nothing may be deleted
 */
export async function readRoots(r: Repository, nowMs: number, worktreeIds: ReadonlySet<string>): Promise<Roots> {
  const roots: Roots = { heads: new Set(), refs: new Set(), pins: new Set(), intents: new Set() };
  await requireLogs(r, worktreeIds);
  for (const worktreeId of await stateLogIds(r)) {
    for (const id of await headsSince(stateLog(r, worktreeId), nowMs - REFLOG_MS)) roots.heads.add(id);
  }
  for (const { ref } of await readRefs(r)) roots.refs.add(ref.snapshot_id);
  for (const pin of await readPins(r)) if (!isExpired(pin, nowMs)) roots.pins.add(pin.snapshot_id);
  for (const { snapshotId, intent } of await findIntents(r)) {
    roots.intents.add(snapshotId);
    const parent = intent?.parent_snapshot_id ?? null;
    if (parent !== null) roots.intents.add(parent);
  }
  for await (const { timestamp, snapshot_id: id } of auditBackwards(r)) {
    if (Date.parse(timestamp) <= nowMs - JUST_NOW_MS) break;
    if (id !== null) roots.intents.add(id);
  }
  return roots;
}

/** A worktree whose log is gone would look as if it had no head. One that is being made has no snapshots yet. */
async function requireLogs(r: Repository, worktreeIds: ReadonlySet<string>): Promise<void> {
  for (const name of await listDirectory(r.layout.worktrees)) {
    const id = (await readWorktreeConfig(r, name))?.worktree_id;
    if (id !== undefined && worktreeIds.has(id) && (await tipOf(stateLog(r, id))) === undefined) {
      throw new LogBrokenError(`state ("${name}")`, 1, 'is missing');
    }
  }
}

async function tipOf(log: ExclusiveLog): ReturnType<ExclusiveLog['tip']> {
  try {
    return await log.tip();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const STRIDE = 64;

async function headsSince(log: ExclusiveLog, sinceMs: number): Promise<Set<string>> {
  const heads = new Set<string>();
  const tip = await tipOf(log);
  if (tip === undefined) return heads;
  const now = parseStateRecord(tip);
  if (now.kind !== 'remove' && now.head_snapshot_id !== null) heads.add(now.head_snapshot_id);
  const { pending } = now;
  if ((pending?.op === 'create' || pending?.op === 'restore') && pending.snapshot_id !== null)
    heads.add(pending.snapshot_id);
  for await (const line of log.records(await firstSince(log, now.seq, sinceMs))) {
    const { at, head_snapshot_id: head } = parseStateRecord(line);
    if (Date.parse(at) >= sinceMs && head !== null) heads.add(head);
  }
  return heads;
}

/** The number of a record that is older, or 1; not all of a long log is read for its last days. */
async function firstSince(log: ExclusiveLog, tip: number, sinceMs: number): Promise<number> {
  let seq = tip;
  while (seq > 1) {
    const record = await log.read(seq);
    if (record !== undefined && Date.parse(parseStateRecord(record).at) < sinceMs) return seq;
    seq = Math.max(1, seq - STRIDE);
  }
  return 1;
}
