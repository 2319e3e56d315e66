import { join } from 'node:path';
import { parseStateRecord } from '@jvs/lock-lease';
import { archivedStates } from '../audit/archives.ts';
import { salvageRecords } from '../audit/salvage.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { stateLog, stateLogIds } from '../worktree/state-log.ts';

/**
 * Every snapshot that a state record of any worktree, removed ones too, has as head. What is among them was committed,
 * so that no repair of leftovers may touch it. @throws LogBrokenError: then nothing can be told apart
 */
export async function committedHeads(r: Repository): Promise<Set<string>> {
  const heads = new Set<string>();
  for (const worktreeId of await stateLogIds(r)) {
    for await (const line of stateLog(r, worktreeId).records()) {
      const { head_snapshot_id: head } = parseStateRecord(line);
      if (head !== null) heads.add(head);
    }
  }
  for (const archive of await archivedStates(r)) {
    for (const worktreeId of await listDirectory(archive)) {
      for (const { head_snapshot_id: head } of await salvageRecords(join(archive, worktreeId))) {
        if (typeof head === 'string') heads.add(head);
      }
    }
  }
  return heads;
}
