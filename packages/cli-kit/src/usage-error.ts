import { CodedError } from '@jvs/platform/errors';

/** The command line is wrong: an argument, a flag, an unknown command, or a value that is none of the valid ones. */
export class UsageError extends CodedError {
  readonly code = 'E_USAGE';
}
