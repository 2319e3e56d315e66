import { lockStatus, type LeaseState, type PendingOperation } from '@jvs/lock-lease';
import type { Repository } from '../repository.ts';
import { lockSite } from './lock-site.ts';
import { findState } from './state-log.ts';
import { openWorktrees } from './worktree.ts';
import type { WorktreeConfig } from './worktree-config.ts';

export interface WorktreeListing {
  name: string;
  path: string;
  config: WorktreeConfig;
  head_snapshot_id: string | null;
  lock_state: LeaseState;
  pending: PendingOperation | { op: 'create' } | null;
}

/** All worktrees by name, with head and lock. One whose creation has not got to its first record is shown as pending. */
export async function listWorktrees(r: Repository): Promise<WorktreeListing[]> {
  const listings: WorktreeListing[] = [];
  for (const w of await openWorktrees(r)) {
    const base = { name: w.name, path: w.path, config: w.config };
    const isBorn = (await findState(r, w.id)) !== undefined;
    const status = isBorn ? await lockStatus(lockSite(w)) : undefined;
    listings.push(
      status === undefined
        ? { ...base, head_snapshot_id: null, lock_state: 'unknown', pending: { op: 'create' } }
        : {
            ...base,
            head_snapshot_id: status.record.head_snapshot_id,
            lock_state: status.state,
            pending: status.record.pending,
          },
    );
  }
  return listings;
}
