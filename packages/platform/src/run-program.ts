import type { ChildProcess } from 'node:child_process';
import { errnoIn } from './errno-text.ts';
import { CodedError } from './errors.ts';

/** A program that we drive is not installed. */
export class ProgramMissingError extends CodedError {
  readonly code = 'E_IO';
  constructor(program: string) {
    super(`The program "${program}" was not found`, {
      hint: `Install it (Debian: the package ${PACKAGES[program] ?? program}) and make sure that it is on PATH.`,
      details: { errno: 'ENOENT', program },
    });
  }
}

/** A program that we drive ended with a failure. `code` is the errno that its message names, else `EIO`. */
export class ProgramFailedError extends Error {
  readonly code: string;
  constructor(program: string, { status, killedBy, complaints }: ProgramResult) {
    const said = complaints.slice(-3).join('; ');
    super(`${program} ended with ${killedBy ?? `status ${status}`}${said === '' ? '' : `: ${said}`}`);
    this.code = errnoIn(complaints.join('\n')) ?? 'EIO';
  }
}

/** How a program ended. */
export interface ProgramResult {
  readonly status: number | null;
  readonly killedBy: NodeJS.Signals | null;
  /** The lines of its standard error, in the C locale; of very many only the first. */
  readonly complaints: readonly string[];
}

export interface ProgramOptions {
  /** The working directory. Default: ours. */
  cwd?: string;
  /** What it reads from standard input. Default: nothing. */
  input?: Uint8Array;
  signal?: AbortSignal | undefined;
}

const PACKAGES: Readonly<Record<string, string>> = {
  chmod: 'coreutils',
  cp: 'coreutils',
  du: 'coreutils',
  rm: 'coreutils',
  sync: 'coreutils',
  find: 'findutils',
  xargs: 'findutils',
};
const COMPLAINT_BYTES = 256 * 1024;
/** `env` says so when it cannot find the program, and `xargs` when it cannot find its own. */
const NOT_FOUND = 127;

/**
 * Runs a program with an argument vector, never through a shell, and returns what it printed; {@link tryProgram} has
 * the rest.
 * @throws ProgramMissingError, or {@link ProgramFailedError} when it does not end with 0
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const child = start(await loadSpawn(options), [program, ...args], options, true);
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const result = await finish(child, program, options);
  if (result.status !== 0) throw new ProgramFailedError(program, result);
  return printed;
}

/**
 * Runs a program in the C locale and in a process group of its own, so that an interruption from the keyboard reaches
 * us alone. On abort the group is killed, and the promise rejects only when all of it has ended: nobody writes any more.
 * @throws ProgramMissingError; any other end is a result
 */
export async function tryProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const child = start(await loadSpawn(options), [program, ...args], options, false);
  return await finish(child, program, options);
}

type Command = readonly [program: string, ...args: string[]];

/** {@link tryProgram} for two programs, the first's output being the second's input. */
export async function pipePrograms(
  from: Command,
  to: Command,
  options: ProgramOptions & { toCwd: string },
): Promise<[ProgramResult, ProgramResult]> {
  const { toCwd, signal } = options;
  const { pipeline } = await import('node:stream/promises');
  const spawn = await loadSpawn(options);
  const source = start(spawn, from, options, true);
  const sink = start(spawn, to, { cwd: toCwd, input: NOTHING_YET }, false);
  const [sourceResult, sinkResult] = await Promise.all([
    finish(source, from[0], options),
    finish(sink, to[0], { signal }),
    source.stdout && sink.stdin ? pipeline(source.stdout, sink.stdin).catch(ignoreBrokenPipe) : undefined,
  ]);
  return [sourceResult, sinkResult];
}

const NOTHING_YET = new Uint8Array();

type Spawn = typeof import('node:child_process').spawn;

/** Loaded when needed: most commands start no program, and loading it takes as long as reading a repository. */
async function loadSpawn({ signal }: ProgramOptions): Promise<Spawn> {
  signal?.throwIfAborted();
  const { spawn } = await import('node:child_process');
  signal?.throwIfAborted();
  return spawn;
}

function start(
  spawn: Spawn,
  command: readonly string[],
  { cwd, input }: ProgramOptions,
  writes: boolean,
): ChildProcess {
  // env(1) sets the locale, so that this library need not read the environment it passes on.
  return spawn('env', ['LC_ALL=C', ...command], {
    ...(cwd === undefined ? {} : { cwd }),
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', writes ? 'pipe' : 'ignore', 'pipe'],
  });
}

function ignoreBrokenPipe(): void {
  // Either program's own status tells.
}

async function finish(child: ChildProcess, program: string, { input, signal }: ProgramOptions): Promise<ProgramResult> {
  // A program that ends early has its own way of saying why.
  if (input !== undefined) child.stdin?.on('error', () => {}).end(input);
  let stderr = '';
  child.stderr?.setEncoding('latin1').on('data', (text: string) => {
    if (stderr.length < COMPLAINT_BYTES) stderr += text;
  });
  const onAbort = (): void => killGroup(child);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const [status, killedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (...end) => resolve(end));
    });
    signal?.throwIfAborted();
    if (status === NOT_FOUND) throw new ProgramMissingError(missingIn(stderr) ?? program);
    // Of very many the last one was cut, and half a line would mean something else.
    const said = stderr.length < COMPLAINT_BYTES ? stderr : stderr.slice(0, stderr.lastIndexOf('\n') + 1);
    return { status, killedBy, complaints: said.split('\n').filter((line) => line !== '') };
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function missingIn(stderr: string): string | undefined {
  return /^(?:env|xargs): [‘']?([^:’']+)[’']?:/m.exec(stderr)?.[1];
}

function killGroup(child: ChildProcess): void {
  try {
    // xargs and what it started; `child.kill` would end xargs alone. Nothing is read from the process.
    // oxlint-disable-next-line no-restricted-globals
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
