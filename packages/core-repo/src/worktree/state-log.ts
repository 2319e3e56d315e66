import { openLog, type ExclusiveLog } from '@jvs/platform/exclusive-log';
import type { Repository } from '../repository.ts';

/** The exclusive log of a worktree's state: its lock, head and pending operation. */
export function stateLog(r: Repository, worktreeId: string): ExclusiveLog {
  return openLog(r.layout.state(worktreeId), 'state', { tempDirectory: r.layout.tmp, clock: r.clock });
}
