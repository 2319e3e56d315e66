import { randomBytes } from 'node:crypto';
import type { Degradation } from '@jvs/snapshot-engine';
import type { Repository } from '../repository.ts';
import { createWorktree } from '../worktree/create-worktree.ts';
import type { MaterializeOptions } from '../worktree/materialize.ts';

export interface RestoreOptions extends MaterializeOptions {
  /** Of the new worktree. Default: made from the snapshot's id and the time. */
  name?: string | undefined;
}

export interface Restored {
  mode: 'new_worktree';
  snapshot_id: string;
  worktree: string;
  path: string;
  content: 'verified' | 'unread';
  degradations: readonly Degradation[];
  intruders: string[];
}

/** Restores a snapshot as a new worktree; nothing that exists is touched. @throws as createWorktree */
export async function restore(r: Repository, id: string, { name, ...options }: RestoreOptions = {}): Promise<Restored> {
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
    degradations,
    intruders,
  };
}

/** `restore-<start of id>-<date>-<time>-<4 hex digits>`, UTC. */
function automaticName(id: string, nowMs: number): string {
  const [date = '', time = ''] = new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '').split('T');
  return `restore-${id.slice(0, 8)}-${date}-${time}-${randomBytes(2).toString('hex')}`;
}
