import { CodedError } from '@jvs/platform/errors';
import type { ConformanceReport } from '@jvs/conformance';

/** A program does not do what the repository format asks. */
export class ChecksFailedError extends CodedError {
  readonly code = 'E_CHECK_FAILED';

  /** Undefined when every check passed. */
  static of({ failed, results }: ConformanceReport): ChecksFailedError | undefined {
    if (failed === 0) return undefined;
    const checks = results.filter(({ status }) => status === 'failed').map(({ check }) => check);
    return new ChecksFailedError(`${failed} of ${results.length} checks failed: ${checks.join(', ')}`, {
      details: { checks },
    });
  }
}
