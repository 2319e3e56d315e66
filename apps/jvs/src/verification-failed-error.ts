import { CodedError } from '@jvs/platform/errors';
import type { AuditVerification, RepositoryVerification, SnapshotVerification } from '@jvs/core-repo';

/** What makes a verification fail, as the error that the command ends with. */
export class VerificationFailedError extends CodedError {
  readonly code: `E_${string}`;

  constructor(code: `E_${string}`, message: string, details: Record<string, unknown>) {
    super(message, {
      details,
      hint: 'Run "jvs doctor --strict" to see the extent; restore what is damaged from a backup.',
    });
    this.code = code;
  }

  /** Undefined when nothing is wrong. The first damage names the class. */
  static of(result: SnapshotVerification | RepositoryVerification): VerificationFailedError | undefined {
    if ('snapshots' in result) return firstDamage(result);
    const { tamper_detected: isTampered, code, severity, snapshot_id: id, why } = result;
    if (!isTampered) return severity === 'error' ? lostManifest(id) : undefined;
    return new VerificationFailedError(
      code === null || code === 'manifest_missing' ? 'E_PAYLOAD_HASH_MISMATCH' : code,
      `Snapshot ${id}: ${why ?? ''}`,
      { snapshot_id: id },
    );
  }

  static ofAudit({ valid, problems }: AuditVerification): VerificationFailedError | undefined {
    if (valid) return undefined;
    return new VerificationFailedError('E_AUDIT_CHAIN_BROKEN', problems[0] ?? 'the audit chain is broken', {
      problems,
    });
  }
}

function firstDamage({ snapshots, refs, chains }: RepositoryVerification): VerificationFailedError | undefined {
  const damaged = snapshots.filter(({ tamper_detected }) => tamper_detected);
  if (damaged[0] !== undefined) return VerificationFailedError.of(damaged[0]);
  const [problem] = chains.problems;
  if (problem !== undefined)
    return new VerificationFailedError(problem.code, problem.why, { subject: problem.subject });
  const broken = VerificationFailedError.ofAudit(chains.audit);
  if (broken !== undefined) return broken;
  const dangling = refs.find(({ valid }) => !valid);
  if (dangling !== undefined) {
    return new VerificationFailedError('E_PARTIAL_SNAPSHOT', `The ref "${dangling.name}" names no visible snapshot`, {
      ref: dangling.name,
    });
  }
  const lost = snapshots.find(({ code }) => code === 'manifest_missing');
  return lost === undefined ? undefined : lostManifest(lost.snapshot_id);
}

function lostManifest(id: string): VerificationFailedError {
  return new VerificationFailedError(
    'E_PAYLOAD_HASH_MISMATCH',
    `manifest_missing: the manifest of snapshot ${id} is lost`,
    { snapshot_id: id },
  );
}
