import { parseStateRecord } from '@jvs/lock-lease';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { stateLog } from '../worktree/state-log.ts';

/**
 * Every snapshot that a state record of any worktree, removed ones too, has as head. What is among them was committed,
 * so that no repair of leftovers may touch it. @throws LogBrokenError: then nothing can be told apart
 */
export async function committedHeads(r: Repository): Promise<Set<string>> {
  const heads = new Set<string>();
  for (const worktreeId of await listDirectory(r.layout.states)) {
    for await (const line of stateLog(r, worktreeId).records()) {
      const { head_snapshot_id: head } = parseStateRecord(line);
      if (head !== null) heads.add(head);
    }
  }
  return heads;
}
