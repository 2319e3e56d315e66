import { withTreePool, readTree, scanTree } from '@jvs/platform/tree';
import { readState } from '@jvs/lock-lease';
import type { LeaseState, PendingOperation } from '@jvs/lock-lease';
import type { OnProgress } from '../progress.ts';
import { checkPayloadRules } from '../snapshot/payload-rules.ts';
import { readDescriptor } from '../snapshot/descriptor.ts';
import { PayloadMismatchError, readManifestEntries } from '../snapshot/manifest.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { lockStatus } from '../worktree/locking.ts';
import type { Worktree } from '../worktree/worktree.ts';
import { compareManifests, isUnchanged, type Changes } from './compare-manifests.ts';

export interface WorktreeStatus extends Changes {
  worktree: string;
  head_snapshot_id: string | null;
  lock_state: LeaseState;
  mine: boolean;
  pending: PendingOperation | null;
  /** Whether the payload is what the head holds. */
  clean: boolean;
  from: string | null;
  to: string;
  totals: Record<keyof Changes, number>;
}

/** The worktree's head and lock, and what changed in it since the head. Reads every file. */
export async function status(
  w: Worktree,
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: OnProgress | undefined } = {},
): Promise<WorktreeStatus> {
  const record = await readState(lockSite(w));
  const { state, mine } = await lockStatus(w);
  const before = await headEntries(w, record.head_snapshot_id);
  return await withTreePool(async (pool) => {
    const scan = await scanTree(pool, w.path, { signal });
    checkPayloadRules(scan);
    onProgress?.({ type: 'phase', phase: 'comparing' });
    onProgress?.({ type: 'planned', files: scan.totals.files, bytes: scan.totals.bytes });
    const now = (await readTree(pool, w.path, { signal })).entries.sort();
    const changes = compareManifests(before, now);
    return {
      worktree: w.name,
      head_snapshot_id: record.head_snapshot_id,
      lock_state: state,
      mine,
      pending: record.pending,
      clean: isUnchanged(changes),
      from: record.head_snapshot_id,
      to: w.name,
      ...changes,
      totals: {
        added: changes.added.length,
        removed: changes.removed.length,
        modified: changes.modified.length,
        mode_changed: changes.mode_changed.length,
        type_changed: changes.type_changed.length,
      },
    };
  });
}

async function headEntries(w: Worktree, head: string | null): Promise<readonly string[]> {
  if (head === null) return [];
  const descriptor = await readDescriptor(w.repository, head);
  const entries = await readManifestEntries(w.repository, head, descriptor.payload_root_hash.value);
  if (entries === undefined) {
    throw new PayloadMismatchError(`The manifest of snapshot ${head} is lost`, {
      hint: 'Run "jvs doctor --repair-runtime": it makes the manifest anew from the payload.',
      details: { snapshot_id: head },
    });
  }
  return entries;
}
