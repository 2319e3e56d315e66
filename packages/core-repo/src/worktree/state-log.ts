import { hasCode } from '@jvs/platform/errors';
import { openLog, type ExclusiveLog } from '@jvs/platform/exclusive-log';
import { parseStateRecord, type StateRecord } from '@jvs/lock-lease';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';

const WORKTREE_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Ids of worktrees, removed ones too, that have a state log; whatever else lies there is none. */
export async function stateLogIds(r: Repository): Promise<string[]> {
  return (await listDirectory(r.layout.states)).filter((name) => WORKTREE_ID.test(name));
}

/** The exclusive log of a worktree's state: its lock, head and pending operation. */
export function stateLog(r: Repository, worktreeId: string): ExclusiveLog {
  return openLog(r.layout.state(worktreeId), 'state', { tempDirectory: r.layout.tmp, clock: r.clock });
}

/** The newest state; undefined for a worktree whose creator has not got to its first record. @throws LogBrokenError */
export async function findState(r: Repository, worktreeId: string): Promise<StateRecord | undefined> {
  try {
    const tip = await stateLog(r, worktreeId).tip();
    return tip === undefined ? undefined : parseStateRecord(tip);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
