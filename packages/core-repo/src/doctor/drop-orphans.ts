import type { Repository } from '../repository.ts';
import { dropIntent } from '../snapshot/drop-snapshot.ts';
import type { Repair } from './finding.ts';
import type { RepairOptions } from './make-repairs.ts';
import { findUncommitted } from './uncommitted.ts';

/** `drop_orphan`: deletes complete snapshots that were never committed. */
export async function dropOrphans(r: Repository, { signal }: RepairOptions = {}): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const { found, w } of await findUncommitted(r)) {
    signal?.throwIfAborted();
    if (!(await dropIntent(r, found))) continue;
    repairs.push({
      repair: 'drop_orphan',
      description: `Deleted the uncommitted snapshot ${found.snapshotId} of worktree "${w.name}".`,
    });
  }
  return repairs;
}
