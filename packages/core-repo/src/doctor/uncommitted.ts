import { CodedError } from '@jvs/platform/errors';
import type { Repository } from '../repository.ts';
import { findIntents, type FoundIntent } from '../snapshot/intent.ts';
import { isComplete } from '../snapshot/visible.ts';
import { readWorktreeConfig } from '../worktree/worktree-config.ts';
import { worktreeNames, worktreeOf, type Worktree } from '../worktree/worktree.ts';

/** A complete snapshot that was never committed, and its worktree. */
export interface Uncommitted {
  found: FoundIntent;
  w: Worktree;
}

/** Complete snapshots whose commit has become impossible, of worktrees that are still there. */
export async function findUncommitted(r: Repository): Promise<Uncommitted[]> {
  const candidates: Uncommitted[] = [];
  for (const found of await findIntents(r)) {
    if (found.state !== 'dead' || !(await isComplete(r, found.snapshotId))) continue;
    const w = await worktreeById(r, found.intent?.worktree_id ?? '');
    if (w !== undefined) candidates.push({ found, w });
  }
  return candidates;
}

/** Undefined when no sound worktree has that id. */
export async function worktreeById(r: Repository, id: string): Promise<Worktree | undefined> {
  for (const name of await worktreeNames(r)) {
    const config = await readWorktreeConfig(r, name).catch((error: unknown) => {
      // Another one is damaged.
      if (error instanceof CodedError) return undefined;
      throw error;
    });
    if (config?.worktree_id === id) return worktreeOf(r, name, config);
  }
  return undefined;
}
