import { CodedError } from '@jvs/platform/errors';
import { printable } from './printable.ts';
import { colorsFor } from './terminal.ts';

/** A failure as `--json` shows it. */
export interface ErrorDocument {
  code: string;
  message: string;
  hint: string | null;
  details: Record<string, unknown>;
}

const HINTS: Record<string, string> = {
  ENOSPC: 'The disk is full: free some space, then run the command again.',
  EDQUOT: 'The disk quota is used up: free some space, then run the command again.',
  EROFS: 'The filesystem is mounted read-only.',
  EACCES: 'Check the permissions of that path.',
  EPERM: 'Check the permissions and the owner of that path.',
  EMFILE: 'Raise the limit of open files (ulimit -n).',
};

/** What is told about `error`, whatever was thrown: coded as it is, Node's errno errors as `E_IO`, the rest as a bug. */
export function errorDocument(error: unknown): ErrorDocument {
  if (error instanceof CodedError) {
    return { code: error.code, message: error.message, hint: error.hint ?? null, details: error.details };
  }
  if (isErrno(error)) {
    const { code, syscall, path, message } = error;
    const details = { errno: code, syscall: syscall ?? null, path: path === undefined ? null : String(path) };
    return { code: 'E_IO', message, hint: HINTS[code] ?? null, details };
  }
  return {
    code: 'E_INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    hint: 'This is a bug in the program. Please report it, with the lines above.',
    details: error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {},
  };
}

/** `jvs: E_CLASS: message`, what caused it, for a bug the stack, and the hint: a line each. */
export function renderError(name: string, error: unknown): string {
  const colors = colorsFor('stderr');
  const { code, message, hint, details } = errorDocument(error);
  const lines = [`${name}: ${colors.red(`${code}:`)} ${printable(message)}`];
  if (code === 'E_INTERNAL' && typeof details['stack'] === 'string') {
    lines.push(...details['stack'].split('\n').slice(1).map(printable));
  }
  for (const cause of causesOf(error)) lines.push(`  caused by: ${printable(cause)}`);
  if (hint !== null) lines.push(`${colors.cyan('hint:')} ${printable(hint)}`);
  return `${lines.join('\n')}\n`;
}

/** Each cause once, outermost first; a chain that bites its tail ends. */
function causesOf(error: unknown): string[] {
  const causes: string[] = [];
  const seen = new Set<unknown>([error]);
  let cause = error instanceof Error ? error.cause : undefined;
  while (cause !== undefined && cause !== null && !seen.has(cause)) {
    seen.add(cause);
    causes.push(cause instanceof CodedError ? `${cause.code}: ${cause.message}` : messageOf(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Node's own errors with codes such as `ERR_INVALID_ARG_TYPE` are not among them: those are bugs. */
function isErrno(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code);
}
