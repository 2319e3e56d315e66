import { CodedError } from '@jvs/platform/errors';

/** The engine that was asked for does not work here, or a program that it drives is missing. */
export class EngineUnavailableError extends CodedError {
  readonly code = 'E_ENGINE_UNAVAILABLE';
}
