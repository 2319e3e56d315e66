import { basename, relative } from 'node:path';
import type { ExclusiveLog } from '@jvs/platform/exclusive-log';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { auditLog } from '../audit/audit-log.ts';
import type { Repository } from '../repository.ts';
import { stateLog, stateLogIds } from '../worktree/state-log.ts';
import type { Finding, RepairName } from './finding.ts';

/** The newest record of each log, and slots that nobody reads. */
export async function checkLogs(r: Repository): Promise<Finding[]> {
  const risk = 'What was done can no longer be proved';
  const findings = await checkLog(r, auditLog(r), risk, 'audit_repair');
  for (const worktreeId of await stateLogIds(r)) {
    const stateRisk = "The worktree's head and lock are not known for sure";
    findings.push(...(await checkLog(r, stateLog(r, worktreeId), stateRisk, 'reset_state')));
  }
  return findings;
}

async function checkLog(r: Repository, log: ExclusiveLog, risk: string, repair: RepairName): Promise<Finding[]> {
  const path = relative(r.root, log.directory);
  const findings: Finding[] = [];
  try {
    await log.tip();
    const { beyondGap, shadowed } = await log.garbage();
    if (beyondGap.length > 0) {
      const description = `Records ${beyondGap.join(', ')} of the log ${basename(path)} lie beyond a gap. ${risk}.`;
      findings.push({ category: 'log', code: 'E_AUDIT_CHAIN_BROKEN', severity: 'error', path, description, repair });
    }
    if (shadowed.length > 0) {
      const description = `Records ${shadowed.join(', ')} of the log ${basename(path)} differ from their segment and are not read. Nothing is at risk.`;
      findings.push({ category: 'log', code: null, severity: 'warning', path, description, repair: 'log_repair' });
    }
  } catch (error) {
    if (!(error instanceof CodedError) && !hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    const code = error instanceof CodedError ? error.code : 'E_IO';
    const message = error instanceof Error ? error.message : String(error);
    const description = `${message}. ${risk}.`;
    findings.push({ category: 'log', code, severity: 'error', path, description, repair });
  }
  return findings;
}
