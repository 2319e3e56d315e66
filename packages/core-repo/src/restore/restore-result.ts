import type { Degradation } from '@jvs/snapshot-engine';
import type { Diff } from '../history/diff.ts';
import type { KeptPayload } from '../worktree/kept-tree.ts';

/** What every kind of restore answers. */
export interface Restored {
  mode: 'new_worktree' | 'inplace' | 'paths';
  snapshot_id: string;
  /** Null where none was made or changed. */
  worktree: string | null;
  /** Where the restored tree lies. */
  path: string;
  /** Whether the contents were read and compared; null where nothing was restored. */
  content: 'verified' | 'unread' | null;
  /** In place: the head that the worktree had. */
  previous_head: string | null;
  /** In place: why. */
  reason: string | null;
  /** In place: the replaced tree. */
  kept: KeptPayload | null;
  /** Where something was put that stood in the way. */
  intruders: string[];
  degradations: readonly Degradation[];
}

/** The result of a restore in place. */
export interface RestoredInPlace extends Restored {
  mode: 'inplace';
  worktree: string;
  /** Set where nothing has been done. */
  dry_run?: true;
  /** What a dry run found: how many paths of the live payload would change, and how. */
  totals?: Diff['totals'];
}
