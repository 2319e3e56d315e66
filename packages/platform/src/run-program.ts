import { CodedError } from './errors.ts';

/** A program that we drive is not installed. */
export class ProgramMissingError extends CodedError {
  readonly code = 'E_IO';
  constructor(program: string) {
    super(`The program "${program}" was not found`, {
      hint: `Install it (Debian: the package that provides ${program}) and make sure that it is on PATH.`,
      details: { errno: 'ENOENT', program },
    });
  }
}

/** A program that we drive ended with a failure. `code` is the errno that its message names, where it names one. */
export class ProgramFailedError extends Error {
  readonly code: string | undefined;
  readonly stderr: string;
  constructor(program: string, status: string, stderr: string) {
    const said = stderr.trim().split('\n').slice(-3).join('; ');
    super(`${program} ended with ${status}${said === '' ? '' : `: ${said}`}`);
    this.code = errnoIn(stderr);
    this.stderr = stderr;
  }
}

const ERRNO_TEXTS: readonly (readonly [string, string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Read-only file system', 'EROFS'],
  ['Input/output error', 'EIO'],
  ['Permission denied', 'EACCES'],
  ['Operation not permitted', 'EPERM'],
  ['File name too long', 'ENAMETOOLONG'],
  ['Too many links', 'EMLINK'],
  ['No such file or directory', 'ENOENT'],
];

/** The errno that a C program's message names, in the C locale. */
export function errnoIn(text: string): string | undefined {
  return ERRNO_TEXTS.find(([words]) => text.includes(words))?.[1];
}

/**
 * Runs a program with an argument vector, never through a shell, in the C locale, and returns what it printed.
 * @throws ProgramMissingError, or {@link ProgramFailedError} when it does not end with 0.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  { input, signal }: { input?: Uint8Array; signal?: AbortSignal | undefined } = {},
): Promise<string> {
  signal?.throwIfAborted();
  // Loaded when needed: most commands start no program, and loading it takes as long as reading a repository.
  const { spawn } = await import('node:child_process');
  return await new Promise((resolve, reject) => {
    // env(1) sets the locale, so that this library need not read the environment it passes on.
    const child = spawn('env', ['LC_ALL=C', program, ...args], {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-16384)));
    child.stdin?.on('error', () => {}).end(input);
    child.on('error', reject);
    child.on('close', (status, killedBy) => {
      if (status === 0) resolve(stdout);
      else if (status === 127) reject(new ProgramMissingError(program));
      else reject(new ProgramFailedError(program, killedBy ?? `status ${status}`, stderr));
    });
  });
}
