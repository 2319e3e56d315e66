import { CodedError } from '@jvs/platform/errors';
import type { Diagnosis } from './doctor.ts';
import { isHealthy } from './finding.ts';

/** What makes a repository unhealthy, as the error that a command ends with. */
export class UnhealthyError extends CodedError {
  readonly code: `E_${string}`;

  constructor(code: `E_${string}`, message: string, count: number) {
    super(message, {
      hint: 'Each finding says what is at risk and what mends it.',
      details: { errors: count },
    });
    this.code = code;
  }
}

/** Undefined for a healthy repository. The gravest finding that has a class names it. */
export function diagnosisFailure({ findings }: Diagnosis): UnhealthyError | undefined {
  if (isHealthy(findings)) return undefined;
  const critical = findings.filter(({ severity }) => severity === 'critical');
  const grave = [...critical, ...findings.filter(({ severity }) => severity === 'error')];
  const first = grave.find(({ code }) => code !== null) ?? grave[0];
  const more = grave.length > 1 ? ` (and ${grave.length - 1} more)` : '';
  return new UnhealthyError(
    first?.code ?? 'E_PAYLOAD_HASH_MISMATCH',
    `${first?.description ?? ''}${more}`,
    grave.length,
  );
}
