import type { RepositoryVerification } from '../verify/verify-all.ts';
import type { Finding } from './finding.ts';

/** What a full verification found, as findings. */
export function explainVerification({ snapshots, refs, chains }: RepositoryVerification): Finding[] {
  const findings: Finding[] = [];
  for (const { snapshot_id: id, code, why, paths } of snapshots) {
    // A lost manifest has a finding of its own.
    if (code === null || code === 'manifest_missing') continue;
    const shown = paths.slice(0, 10).map(({ path, problem }) => `${path} (${problem})`);
    const description = `Snapshot ${id}: ${why ?? ''}${shown.length > 0 ? `: ${shown.join(', ')}` : ''}.`;
    findings.push({
      category: 'tampered',
      code,
      severity: 'critical',
      path: `.jvs/snapshots/${id}`,
      description,
      repair: null,
    });
  }
  for (const { name, valid } of refs) {
    if (valid) continue;
    const description = `The ref "${name}" names no visible snapshot.`;
    findings.push({
      category: 'dangling_ref',
      code: 'E_PARTIAL_SNAPSHOT',
      severity: 'error',
      path: `.jvs/refs/${name}`,
      description,
      repair: null,
    });
  }
  for (const { code, subject, why } of chains.problems) {
    const description = `Worktree "${subject}": ${why}.`;
    findings.push({ category: 'lineage', code, severity: 'error', path: null, description, repair: null });
  }
  for (const problem of chains.audit.problems) {
    const description = `The audit chain: ${problem}.`;
    findings.push({
      category: 'audit_chain',
      code: 'E_AUDIT_CHAIN_BROKEN',
      severity: 'critical',
      path: '.jvs/audit',
      description,
      repair: null,
    });
  }
  return findings;
}
