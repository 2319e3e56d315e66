import { relative } from 'node:path';
import type { ExclusiveLog } from '@jvs/platform/exclusive-log';
import { CodedError } from '@jvs/platform/errors';
import { auditLog } from '../audit/audit-log.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { stateLog } from '../worktree/state-log.ts';
import type { Finding } from './finding.ts';

/** The newest record of each log, and slots that nobody reads. */
export async function checkLogs(r: Repository): Promise<Finding[]> {
  const findings = await checkLog(r, auditLog(r));
  for (const worktreeId of await listDirectory(r.layout.states)) {
    findings.push(...(await checkLog(r, stateLog(r, worktreeId))));
  }
  return findings;
}

async function checkLog(r: Repository, log: ExclusiveLog): Promise<Finding[]> {
  const path = relative(r.root, log.directory);
  const findings: Finding[] = [];
  const add = (severity: Finding['severity'], code: Finding['code'], description: string): void =>
    void findings.push({ category: 'log', code, severity, path, description, repair: null });
  try {
    await log.tip();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    add('error', error.code, `${error.message}.`);
  }
  const { beyondGap, shadowed } = await log.garbage();
  if (beyondGap.length > 0) add('error', 'E_AUDIT_CHAIN_BROKEN', `Records ${beyondGap.join(', ')} lie beyond a gap.`);
  if (shadowed.length > 0)
    add('warning', null, `Records ${shadowed.join(', ')} differ from their segment and are not read.`);
  return findings;
}
