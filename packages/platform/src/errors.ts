/** What the constructor of every coded error takes beside its message. */
export interface ErrorFacts {
  cause?: unknown;
  /** What the reader can do about it, as a sentence. */
  hint?: string;
  /** The facts of the case, for programs: JSON values only. */
  details?: Record<string, unknown>;
}

/** A failure that a caller can act on: a stable code, the facts as fields, and mostly a hint. */
export abstract class CodedError extends Error {
  /** Part of the public API: once released, never renamed and never given another meaning. */
  abstract readonly code: `E_${string}`;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(message: string, { cause, hint, details = {} }: ErrorFacts = {}) {
    super(message, { cause });
    this.name = new.target.name;
    this.hint = hint;
    this.details = details;
  }
}

/** Whether `error` carries this code: ours (`E_…`) or Node's (`ENOENT`, …). */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** An error that looks like the one Node throws for a failed system call. */
export function errnoError(code: string, syscall: string, path?: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`${code}: ${syscall}${path === undefined ? '' : ` '${path}'`}`);
  error.code = code;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  return error;
}
