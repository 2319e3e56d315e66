import { relative } from 'node:path';
import { isThere, removeTree, syncDirectory, unlinkIfThere } from '@jvs/platform/durable-fs';
import { lockStatus } from '@jvs/lock-lease';
import type { Repository } from '../repository.ts';
import { dropIntent, finishDrop, removeManifest } from '../snapshot/drop-snapshot.ts';
import { findIntents, type FoundIntent } from '../snapshot/intent.ts';
import { isComplete } from '../snapshot/visible.ts';
import { lockSite } from '../worktree/lock-site.ts';
import type { Finding, Repair } from './finding.ts';
import { findLeftovers, type Leftover } from './leftovers.ts';
import type { RepairOptions } from './make-repairs.ts';
import { worktreeById } from './uncommitted.ts';

/** Snapshots in publication, and what the crash of one left behind, by the crash table of docs/specs/jvs.md. */
export async function checkPublications(r: Repository): Promise<Finding[]> {
  const findings: Finding[] = [];
  const leftovers = await findLeftovers(r);
  for (const intent of await findIntents(r)) findings.push(await explainIntent(r, intent));
  for (const leftover of leftovers) findings.push(explainLeftover(r, leftover));
  return findings;
}

const HIDDEN = 'Nobody sees it, and it takes room';

async function explainIntent(r: Repository, found: FoundIntent): Promise<Finding> {
  const { snapshotId: id, state, intent } = found;
  const base = { code: null, path: relative(r.root, found.path) };
  if (state === 'dropping') {
    const description = `Removal of the unfinished snapshot ${id} is under way or was interrupted. ${HIDDEN}.`;
    return { ...base, category: 'partial_publish', severity: 'warning', description, repair: 'clean_intents' };
  }
  if (state === 'committed') {
    const description = `Snapshot ${id} is committed; only the note of its publication is left over. Nothing is at risk.`;
    return { ...base, category: 'orphan_intent', severity: 'info', description, repair: 'clean_intents' };
  }
  if (state === 'damaged' || intent === undefined) {
    const description = `Whether snapshot ${id} was committed cannot be told, since ${base.path} or the record that it names cannot be read. It stays hidden; a state log is mended first, and a damaged file can be removed when no jvs is at work.`;
    return {
      ...base,
      code: 'E_DESCRIPTOR_CORRUPT',
      category: 'damaged_intent',
      severity: 'warning',
      description,
      repair: null,
    };
  }
  const holder = await currentHolder(r, intent.worktree_id);
  const isClaimed = found.path.includes('.adopt-');
  if (state === 'open' && holder.isAlive && (isClaimed || holder.token === intent.fencing_token)) {
    const description = `Snapshot ${id} is being published by ${intent.holder_id}.`;
    return { ...base, category: 'in_progress', severity: 'info', description, repair: null };
  }
  return (await isComplete(r, id)) ? explainOrphan(base, found, holder) : await explainRemains(r, base, found);
}

type Base = Pick<Finding, 'code' | 'path'>;

/** Complete and not committed. While its commit is still possible, only the end of its author's lease rules it out. */
function explainOrphan(base: Base, { snapshotId: id, intent, state }: FoundIntent, holder: CurrentHolder): Finding {
  if (!holder.isThere) {
    const description = `Snapshot ${id} is complete but was never committed, and its worktree is gone. ${HIDDEN}; copy out of .jvs/snapshots/${id} what you need.`;
    return { ...base, category: 'unreachable', severity: 'info', description, repair: null };
  }
  const isNext = intent?.parent_snapshot_id === holder.head;
  const category = isNext ? 'head_orphan' : 'unreachable';
  const severity = isNext ? 'warning' : 'info';
  if (state === 'open') {
    const description = `Snapshot ${id} is complete but was not committed, and its author still has the lock. What it holds is in no history; once the lease is over, --repair-runtime releases the lock, and then it can be taken or deleted.`;
    return { ...base, category, severity, description, repair: 'clean_locks' };
  }
  const description = isNext
    ? `Snapshot ${id} is complete but was not committed. What it holds is in no history: take it with --repair advance_head, or delete it with --repair drop_orphan.`
    : `Snapshot ${id} is complete but was not committed, and the head has moved on. ${HIDDEN}; --repair drop_orphan deletes it.`;
  return { ...base, category, severity, description, repair: isNext ? 'advance_head' : 'drop_orphan' };
}

async function explainRemains(r: Repository, base: Base, { snapshotId: id, state }: FoundIntent): Promise<Finding> {
  const repair = state === 'dead' ? 'clean_intents' : 'clean_locks';
  if (await isThere(r.layout.snapshot(id))) {
    const description = `Publication of snapshot ${id} stopped before its descriptor. ${HIDDEN}.`;
    const code = 'E_PARTIAL_SNAPSHOT';
    return { ...base, code, category: 'partial_publish', severity: 'warning', description, repair };
  }
  const description = `Publication of snapshot ${id} stopped before it was complete. ${HIDDEN}.`;
  return { ...base, category: 'orphan_intent', severity: 'warning', description, repair };
}

interface CurrentHolder {
  /** Whether the worktree is. */
  isThere: boolean;
  isAlive: boolean;
  token: number | null;
  head: string | null;
}

async function currentHolder(r: Repository, worktreeId: string): Promise<CurrentHolder> {
  const w = await worktreeById(r, worktreeId);
  if (w === undefined) return { isThere: false, isAlive: false, token: null, head: null };
  const { state, record } = await lockStatus(lockSite(w));
  const isAlive = state === 'held' || state === 'unknown';
  return { isThere: true, isAlive, token: record.lock?.fencing_token ?? null, head: record.head_snapshot_id };
}

function explainLeftover(r: Repository, { id, what, path }: Leftover): Finding {
  const base = { path: relative(r.root, path), code: 'E_PARTIAL_SNAPSHOT' as const };
  if (what === 'committed') {
    const description = `Snapshot ${id} was committed, but its descriptor or its tree is missing. It cannot be restored; bring it back from a backup.`;
    return { ...base, category: 'partial_snapshot', severity: 'error', description, repair: null };
  }
  const description = `${base.path} is a remainder of the unfinished snapshot ${id}. ${HIDDEN}; --repair-runtime removes it.`;
  return { ...base, category: 'partial_publish', severity: 'warning', description, repair: 'clean_intents' };
}

/** `clean_intents`: ends what is decided, and removes what dead publications left. Complete snapshots are never touched. */
export async function cleanIntents(r: Repository, { signal }: RepairOptions = {}): Promise<Repair[]> {
  const repairs: Repair[] = [];
  const done = (description: string): void => void repairs.push({ repair: 'clean_intents', description });
  const leftovers = await findLeftovers(r);
  for (const found of await findIntents(r)) {
    signal?.throwIfAborted();
    const id = found.snapshotId;
    if (found.state === 'committed') {
      await unlinkIfThere(found.path);
      await syncDirectory(r.layout.intents);
      done(`Ended the publication of snapshot ${id}.`);
    } else if (found.state === 'dropping') {
      await finishDrop(r, id);
      done(`Finished removing the unfinished snapshot ${id}.`);
    } else if (found.state === 'dead' && !(await isComplete(r, id)) && (await dropIntent(r, found))) {
      done(`Removed the unfinished snapshot ${id}.`);
    }
  }
  for (const { id, what, path } of leftovers) {
    signal?.throwIfAborted();
    if (what === 'committed' || (await findIntents(r, id)).length > 0) continue;
    if (what === 'descriptor') await unlinkIfThere(path);
    else if (what !== 'manifest') await removeTree(path, r.layout.tmp);
    if (what === 'descriptor' || what === 'manifest') await removeManifest(r, id);
    done(`Removed ${relative(r.root, path)}, a remainder of the unfinished snapshot ${id}.`);
  }
  return repairs;
}
