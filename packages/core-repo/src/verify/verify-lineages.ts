import { readState } from '@jvs/lock-lease';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { readTombstone, tombstonedIds } from '../gc/tombstone.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { publishedIds, requireVisible } from '../snapshot/visible.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { readWorktreeConfig } from '../worktree/worktree-config.ts';
import { worktreeNames, worktreeOf } from '../worktree/worktree.ts';

/** Something wrong that is no snapshot's own: a head, a parent, a worktree. */
export interface LineageProblem {
  code: `E_${string}`;
  kind: 'worktree' | 'snapshot';
  /** The worktree's name, or the snapshot's id. */
  subject: string;
  why: string;
}

/** Every head is visible, and the parents of all snapshots, of removed worktrees too, lead back to first ones. */
export async function verifyLineages(r: Repository): Promise<LineageProblem[]> {
  const problems: LineageProblem[] = [];
  for (const name of await worktreeNames(r)) {
    try {
      await verifyHead(r, name);
    } catch (error) {
      const code = error instanceof CodedError ? error.code : 'E_IO';
      if (!(error instanceof Error)) throw error;
      problems.push({ code, kind: 'worktree', subject: name, why: error.message });
    }
  }
  return [...problems, ...findBrokenLines(await readParents(r))];
}

async function verifyHead(r: Repository, name: string): Promise<void> {
  const config = await readWorktreeConfig(r, name).catch((error: unknown) => {
    if (hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  });
  if (config === undefined) return;
  const site = lockSite(worktreeOf(r, name, config));
  const isBorn = await site.log.read(1).then(
    (record) => record !== undefined,
    () => true,
  );
  const head = isBorn ? (await readState(site)).head_snapshot_id : null;
  if (head !== null) await requireVisible(r, head);
}

/** Each snapshot that has a descriptor or a tombstone, with its parent. */
async function readParents(r: Repository): Promise<Map<string, string | null>> {
  const parents = new Map<string, string | null>();
  for (const id of await publishedIds(r)) {
    const descriptor = await findDescriptor(r, id).catch(() => undefined);
    // One that is damaged is there all the same; its verification tells of it.
    parents.set(id, descriptor?.parent_snapshot_id ?? null);
  }
  // Tombstones after descriptors, since that is the order in which a deletion goes the other way.
  for (const id of await tombstonedIds(r)) {
    const tombstone = await readTombstone(r, id).catch(() => undefined);
    if (tombstone !== undefined) parents.set(id, tombstone.descriptor.parent_snapshot_id);
  }
  return parents;
}

function findBrokenLines(parents: ReadonlyMap<string, string | null>): LineageProblem[] {
  const problems: LineageProblem[] = [];
  const broken = (id: string, why: string): void =>
    void problems.push({ code: 'E_LINEAGE_BROKEN', kind: 'snapshot', subject: id, why });
  const walked = new Set<string>();
  for (const start of parents.keys()) {
    const path = new Set<string>();
    let id = start;
    while (!walked.has(id)) {
      walked.add(id);
      path.add(id);
      const parent = parents.get(id) ?? null;
      if (parent === null) break;
      if (!parents.has(parent)) broken(id, `its parent ${parent} has neither a descriptor nor a tombstone`);
      else if (path.has(parent)) broken(id, `it is its own ancestor through ${parent}`);
      if (!parents.has(parent)) break;
      id = parent;
    }
  }
  return problems;
}
