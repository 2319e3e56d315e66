import { randomBytes } from 'node:crypto';
import type { OnProgress } from '../progress.ts';
import type { Repository } from '../repository.ts';
import { createWorktree } from '../worktree/create-worktree.ts';
import type { Restored } from './restore-result.ts';

export interface RestoreOptions {
  /** Of the new worktree. Default: made from the snapshot's id and the time. */
  name?: string | undefined;
  /** Read every byte of the result and compare hashes, not only names, types, sizes and modes. */
  verify?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

/** Restores a snapshot as a new worktree; nothing that exists is touched. @throws as createWorktree */
export async function restore(
  r: Repository,
  id: string,
  { name, ...options }: RestoreOptions = {},
): Promise<Restored & { worktree: string }> {
  const made = await createWorktree(r, name ?? automaticName(id, r.clock.now()), {
    ...options,
    from: id,
    operation: 'restore',
  });
  const { worktree, content, degradations, intruders } = made;
  return {
    mode: 'new_worktree',
    snapshot_id: id,
    worktree: worktree.name,
    path: worktree.path,
    content,
    previous_head: null,
    reason: null,
    kept: null,
    intruders,
    degradations,
  };
}

/** `restore-<start of id>-<date>-<time>-<4 hex digits>`, UTC. */
function automaticName(id: string, nowMs: number): string {
  const [date = '', time = ''] = new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '').split('T');
  return `restore-${id.slice(0, 8)}-${date}-${time}-${randomBytes(2).toString('hex')}`;
}
