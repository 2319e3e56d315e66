import { readState } from '@jvs/lock-lease';
import type { LeaseState, PendingOperation } from '@jvs/lock-lease';
import { lockSite } from '../worktree/lock-site.ts';
import { lockStatus } from '../worktree/locking.ts';
import type { Worktree } from '../worktree/worktree.ts';
import { isUnchanged } from './compare-manifests.ts';
import type { ComparePayloadOptions } from './compare-payload.ts';
import { diff, type Diff } from './diff.ts';

export interface WorktreeStatus extends Diff {
  worktree: string;
  head_snapshot_id: string | null;
  lock_state: LeaseState;
  mine: boolean;
  pending: PendingOperation | null;
  /** Whether the payload is what the head holds. */
  clean: boolean;
}

/** The worktree's head and lock, and what changed in it since the head. Reads what only reading can tell. */
export async function status(w: Worktree, options: ComparePayloadOptions = {}): Promise<WorktreeStatus> {
  const { head_snapshot_id: head, pending } = await readState(lockSite(w));
  const { state, mine } = await lockStatus(w);
  const changes = await diff(w.repository, head, w, options);
  const clean = isUnchanged(changes);
  return { worktree: w.name, head_snapshot_id: head, lock_state: state, mine, pending, clean, ...changes };
}
