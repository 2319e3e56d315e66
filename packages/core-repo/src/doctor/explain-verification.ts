import type { RepositoryVerification } from '../verify/verify-all.ts';
import type { NameVerification } from '../verify/verify-names.ts';
import type { Finding } from './finding.ts';

const SHOWN = 10;

/** What a full verification found, as findings. */
export function explainVerification({ snapshots, refs, pins, chains }: RepositoryVerification): Finding[] {
  const findings: Finding[] = [];
  for (const { snapshot_id: id, code, why, paths } of snapshots) {
    // A lost manifest has a finding of its own.
    if (code === null || code === 'manifest_missing') continue;
    const shown = paths.slice(0, SHOWN).map(({ path, problem }) => `${path} (${problem})`);
    const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : '';
    findings.push({
      category: 'tampered',
      code,
      severity: 'critical',
      path: `.jvs/snapshots/${id}`,
      description:
        `Snapshot ${id}: ${why ?? ''}${shown.length > 0 ? `: ${shown.join(', ')}${more}` : ''}. ` +
        'A restore of it would bring back something else than was saved; restore it from a backup.',
      repair: null,
    });
  }
  findings.push(
    ...dangling('ref', refs, '.jvs/refs/', (name) => `jvs ref delete ${name}`),
    ...dangling('pin', pins, '.jvs/gc/pins/', (name) => `jvs gc unpin ${name}`),
  );
  for (const { code, kind, subject, why } of chains.problems) {
    const description = `The history of ${kind} ${subject}: ${why}. What came before cannot be reached; restore it from a backup.`;
    findings.push({ category: 'lineage', code, severity: 'error', path: null, description, repair: null });
  }
  for (const problem of chains.audit.problems) {
    findings.push({
      category: 'audit_chain',
      code: 'E_AUDIT_CHAIN_BROKEN',
      severity: 'critical',
      path: '.jvs/audit',
      description: `The audit log: ${problem}. What was done can no longer be proved.`,
      repair: chains.audit.chain_problems.includes(problem) ? 'audit_repair' : null,
    });
  }
  return findings;
}

function dangling(
  kind: 'ref' | 'pin',
  names: readonly NameVerification[],
  directory: string,
  removal: (name: string) => string,
): Finding[] {
  return names
    .filter(({ valid }) => !valid)
    .map(({ name, snapshot_id: id }) => ({
      category: `dangling_${kind}`,
      code: id === null ? 'E_DESCRIPTOR_CORRUPT' : 'E_PARTIAL_SNAPSHOT',
      severity: 'error',
      path: `${directory}${name}`,
      description:
        id === null
          ? `The ${kind} "${name}" cannot be read, so that it protects nothing; restore its file from a backup.`
          : `The ${kind} "${name}" names the snapshot ${id}, which is not there; "${removal(name)}" removes it.`,
      repair: null,
    }));
}
