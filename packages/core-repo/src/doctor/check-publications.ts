import { relative } from 'node:path';
import { isThere, removeTree, syncDirectory, unlinkIfThere } from '@jvs/platform/durable-fs';
import { CodedError } from '@jvs/platform/errors';
import { lockStatus } from '@jvs/lock-lease';
import { listDirectory } from '../list-directory.ts';
import { SNAPSHOT_ID } from '../names.ts';
import type { Repository } from '../repository.ts';
import { dropIntent, finishDrop, removeManifest } from '../snapshot/drop-snapshot.ts';
import { findIntents, type FoundIntent } from '../snapshot/intent.ts';
import { readManifestBases } from '../snapshot/manifest-bases.ts';
import { isComplete } from '../snapshot/visible.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { openWorktrees } from '../worktree/worktree.ts';
import { committedHeads } from './committed-heads.ts';
import type { Finding, Repair } from './finding.ts';

/** Snapshots in publication, and what the crash of one left behind, by the crash table of docs/specs/jvs.md. */
export async function checkPublications(r: Repository): Promise<Finding[]> {
  const findings: Finding[] = [];
  const leftovers = await findLeftovers(r);
  for (const intent of await findIntents(r)) findings.push(await explainIntent(r, intent));
  for (const { id, what, path } of leftovers) findings.push(explainLeftover(r, id, what, path));
  return findings;
}

async function explainIntent(r: Repository, found: FoundIntent): Promise<Finding> {
  const { snapshotId: id, state, intent } = found;
  const base = { code: null, path: relative(r.root, found.path) };
  if (state === 'dropping') {
    const description = `Removal of the unfinished snapshot ${id} is under way or was interrupted.`;
    return { ...base, category: 'partial_publish', severity: 'warning', description, repair: 'clean_intents' };
  }
  if (state === 'committed') {
    const description = `Snapshot ${id} is committed; only the note of its publication is left over.`;
    return { ...base, category: 'orphan_intent', severity: 'info', description, repair: 'clean_intents' };
  }
  const holder = await currentHolder(r, intent.worktree_id);
  if (state === 'open' && holder.isAlive && holder.token === intent.fencing_token) {
    const description = `Snapshot ${id} is being published by ${intent.holder_id}.`;
    return { ...base, category: 'in_progress', severity: 'info', description, repair: null };
  }
  const repair = state === 'dead' ? 'clean_intents' : 'clean_locks';
  if (await isComplete(r, id)) {
    const mayLead = intent.parent_snapshot_id === holder.head;
    const description = mayLead
      ? `Snapshot ${id} is complete but was not committed: take it with --repair advance_head, or delete it with --repair drop_orphan.`
      : `Snapshot ${id} is complete but was not committed, and the head has moved on; --repair drop_orphan deletes it.`;
    return mayLead
      ? { ...base, category: 'head_orphan', severity: 'warning', description, repair: 'advance_head' }
      : { ...base, category: 'unreachable', severity: 'info', description, repair: 'drop_orphan' };
  }
  if (await isThere(r.layout.snapshot(id))) {
    const description = `Publication of snapshot ${id} stopped before its descriptor.`;
    return {
      ...base,
      code: 'E_PARTIAL_SNAPSHOT',
      category: 'partial_publish',
      severity: 'warning',
      description,
      repair,
    };
  }
  const description = `Publication of snapshot ${id} stopped before it was complete.`;
  return { ...base, category: 'orphan_intent', severity: 'warning', description, repair };
}

interface CurrentHolder {
  isAlive: boolean;
  token: number | null;
  head: string | null;
}

async function currentHolder(r: Repository, worktreeId: string): Promise<CurrentHolder> {
  const w = (await openWorktrees(r)).find(({ id }) => id === worktreeId);
  if (w === undefined) return { isAlive: false, token: null, head: null };
  const { state, record } = await lockStatus(lockSite(w));
  const isAlive = state === 'held' || state === 'unknown';
  return { isAlive, token: record.lock?.fencing_token ?? null, head: record.head_snapshot_id };
}

interface Leftover {
  id: string;
  what: 'unfinished' | 'tree' | 'descriptor' | 'manifest' | 'committed';
  path: string;
}

/**
 * Files of snapshots that no intent explains. Files are listed first and intents after, since an author's intent comes
 * first and goes last. What a state record names as head is no leftover: then something of a committed snapshot is lost.
 */
async function findLeftovers(r: Repository): Promise<Leftover[]> {
  const { layout } = r;
  const trees = await listDirectory(layout.snapshots);
  const descriptors = idsIn(await listDirectory(layout.descriptors), '.json');
  const manifests = idsIn(await listDirectory(layout.manifests), '.manifest');
  const announced = new Set((await findIntents(r)).map(({ snapshotId }) => snapshotId));
  const committed = await committedHeads(r).catch((error: unknown) => {
    if (!(error instanceof CodedError)) throw error;
    return undefined;
  });
  // With a state log that cannot be read nothing is known to be a leftover.
  if (committed === undefined) return [];
  const bases = await readManifestBases(r);
  const leftovers: Leftover[] = [];
  for (const name of trees) {
    const id = name.replace(/\.tmp$/, '');
    if (!SNAPSHOT_ID.test(id) || announced.has(id)) continue;
    if (name.endsWith('.tmp')) leftovers.push({ id, what: 'unfinished', path: layout.unfinishedSnapshot(id) });
    else if (!descriptors.has(id)) {
      leftovers.push({ id, what: committed.has(id) ? 'committed' : 'tree', path: layout.snapshot(id) });
    }
  }
  const found = new Set(trees);
  for (const id of descriptors) {
    if (found.has(id) || announced.has(id)) continue;
    leftovers.push({ id, what: committed.has(id) ? 'committed' : 'descriptor', path: layout.descriptor(id) });
  }
  for (const id of manifests) {
    if (descriptors.has(id) || announced.has(id) || committed.has(id) || bases.has(id)) continue;
    leftovers.push({ id, what: 'manifest', path: layout.manifest(id) });
  }
  return leftovers;
}

function idsIn(files: readonly string[], end: string): Set<string> {
  return new Set(
    files
      .filter((file) => file.endsWith(end))
      .map((file) => file.slice(0, -end.length))
      .filter((id) => SNAPSHOT_ID.test(id)),
  );
}

function explainLeftover(r: Repository, id: string, what: Leftover['what'], path: string): Finding {
  const base = { path: relative(r.root, path), code: 'E_PARTIAL_SNAPSHOT' as const };
  if (what === 'committed') {
    const description = `Snapshot ${id} was committed, but its descriptor or its tree is missing; restore it from a backup.`;
    return { ...base, category: 'partial_snapshot', severity: 'error', description, repair: null };
  }
  const description = `A remainder of the unfinished snapshot ${id}.`;
  return { ...base, category: 'partial_publish', severity: 'warning', description, repair: 'clean_intents' };
}

/** `clean_intents`: ends what is decided, and removes what dead publications left. Complete snapshots are never touched. */
export async function cleanIntents(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  const done = (description: string): void => void repairs.push({ repair: 'clean_intents', description });
  const leftovers = await findLeftovers(r);
  for (const found of await findIntents(r)) {
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
    if (what === 'committed' || (await findIntents(r, id)).length > 0) continue;
    if (what === 'descriptor') await unlinkIfThere(path);
    else if (what !== 'manifest') await removeTree(path, r.layout.tmp);
    if (what === 'descriptor' || what === 'manifest') await removeManifest(r, id);
    done(`Removed ${relative(r.root, path)}, a remainder of the unfinished snapshot ${id}.`);
  }
  return repairs;
}
