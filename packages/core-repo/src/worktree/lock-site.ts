import { join } from 'node:path';
import type { LockSite } from '@jvs/lock-lease';
import { backfillAudit } from '../audit/event-of-state.ts';
import { stateLog } from './state-log.ts';
import type { WorktreeIdentity } from './worktree.ts';

/** The worktree's lock as lock-lease sees it; every append to the state first completes the audit chain. */
export function lockSite(w: WorktreeIdentity): LockSite {
  const { repository: r } = w;
  const { stateHome } = r.caller;
  return {
    worktree: w.name,
    worktreeId: w.id,
    log: stateLog(r, w.id),
    probePath: r.layout.probe,
    credentialsDirectory: stateHome === undefined ? undefined : join(stateHome, 'jvs', r.id),
    caller: r.caller,
    clock: r.clock,
    beforeAppend: async (tip) => {
      await backfillAudit(r, tip);
    },
  };
}
