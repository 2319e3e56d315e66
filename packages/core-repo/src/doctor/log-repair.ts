import { relative } from 'node:path';
import { syncDirectory, unlinkIfThere } from '@jvs/platform/durable-fs';
import type { ExclusiveLog } from '@jvs/platform/exclusive-log';
import { failpoint } from '@jvs/platform/failpoint';
import { auditLog } from '../audit/audit-log.ts';
import type { Repository } from '../repository.ts';
import { stateLog, stateLogIds } from '../worktree/state-log.ts';
import type { Repair } from './finding.ts';

/**
 * `log_repair`: removes slots that nobody reads, because they lie beyond a gap or differ from their segment. Another
 * process could just be filling the gap, so none may run.
 */
export async function repairLogs(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const log of [auditLog(r), ...(await stateLogIds(r)).map((id) => stateLog(r, id))]) {
    const removed = await removeGarbage(log);
    if (removed.length === 0) continue;
    const description = `Removed records ${removed.join(', ')} from ${relative(r.root, log.directory)}, which nobody reads.`;
    repairs.push({ repair: 'log_repair', description });
  }
  return repairs;
}

async function removeGarbage(log: ExclusiveLog): Promise<number[]> {
  const { beyondGap, shadowed } = await log.garbage();
  const removed = [...beyondGap, ...shadowed].sort((a, b) => a - b);
  for (const seq of removed) {
    await unlinkIfThere(log.slotPath(seq));
    failpoint('log-repair:unlink');
  }
  if (removed.length > 0) await syncDirectory(log.directory);
  return removed;
}
