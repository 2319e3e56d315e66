import { CodedError } from '@jvs/platform/errors';
import type { RepositoryVerification } from './verify-all.ts';
import type { AuditVerification } from './verify-audit.ts';
import type { SnapshotVerification } from './verify-snapshot.ts';

/** What makes a verification fail, as the error that a command ends with. */
export class VerificationFailedError extends CodedError {
  readonly code: `E_${string}`;

  constructor(code: `E_${string}`, message: string, { hint = DAMAGE_HINT, ...details }: Record<string, unknown>) {
    super(message, { details, hint: String(hint) });
    this.code = code;
  }
}

const DAMAGE_HINT = 'Run "jvs doctor --strict" to see the extent; restore what is damaged from a backup.';
const MANIFEST_HINT = 'Run "jvs doctor --repair-runtime": it makes the manifest anew from the payload.';

/** Undefined when nothing is wrong. The first damage names the class. */
export function verificationFailure(
  result: SnapshotVerification | RepositoryVerification | AuditVerification,
): VerificationFailedError | undefined {
  if ('snapshots' in result) return firstDamage(result);
  return 'problems' in result ? auditFailure(result) : snapshotFailure(result);
}

function snapshotFailure(result: SnapshotVerification): VerificationFailedError | undefined {
  const { tamper_detected: isTampered, code, severity, snapshot_id: id, why } = result;
  if (!isTampered && severity !== 'error') return undefined;
  if (!isTampered) {
    const message = `manifest_missing: the manifest of snapshot ${id} is lost`;
    return new VerificationFailedError('E_PAYLOAD_HASH_MISMATCH', message, { snapshot_id: id, hint: MANIFEST_HINT });
  }
  const known = code === null || code === 'manifest_missing' ? 'E_PAYLOAD_HASH_MISMATCH' : code;
  return new VerificationFailedError(known, `Snapshot ${id}: ${why ?? ''}`, { snapshot_id: id });
}

function auditFailure({ valid, problems }: AuditVerification): VerificationFailedError | undefined {
  if (valid) return undefined;
  const message = problems[0] ?? 'the audit chain is broken';
  return new VerificationFailedError('E_AUDIT_CHAIN_BROKEN', message, { problems });
}

function firstDamage({ snapshots, refs, pins, chains }: RepositoryVerification): VerificationFailedError | undefined {
  const damaged = snapshots.find(({ tamper_detected: isTampered }) => isTampered);
  if (damaged !== undefined) return snapshotFailure(damaged);
  const [problem] = chains.problems;
  if (problem !== undefined) {
    return new VerificationFailedError(problem.code, `${problem.kind} ${problem.subject}: ${problem.why}`, {
      subject: problem.subject,
    });
  }
  const broken = auditFailure(chains.audit);
  if (broken !== undefined) return broken;
  for (const [kind, names] of [
    ['ref', refs],
    ['pin', pins],
  ] as const) {
    const dangling = names.find(({ valid }) => !valid);
    if (dangling === undefined) continue;
    const message = `The ${kind} "${dangling.name}" names no visible snapshot`;
    return new VerificationFailedError('E_PARTIAL_SNAPSHOT', message, { [kind]: dangling.name });
  }
  const lost = snapshots.find(({ code }) => code === 'manifest_missing');
  return lost === undefined ? undefined : snapshotFailure(lost);
}
