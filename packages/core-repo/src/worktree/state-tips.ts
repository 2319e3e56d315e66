import type { StateRecord } from '@jvs/lock-lease';
import type { Repository } from '../repository.ts';
import { findState, stateLogIds } from './state-log.ts';
import type { WorktreeIdentity } from './worktree.ts';

/** A worktree by its newest state record. */
export interface StateTip {
  w: WorktreeIdentity;
  record: StateRecord;
}

/**
 * The newest state of every worktree that ever had one. Names do not lead to all of them: a removal that has given the
 * name back and not ended is found only here. @throws LogBrokenError
 */
export async function* stateTips(r: Repository): AsyncGenerator<StateTip> {
  for (const id of await stateLogIds(r)) {
    const record = await findState(r, id);
    if (record !== undefined) yield { w: { repository: r, name: record.worktree, id }, record };
  }
}
