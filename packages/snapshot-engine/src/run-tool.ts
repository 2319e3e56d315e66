import type { ChildProcess } from 'node:child_process';
import { EngineUnavailableError } from './engine-unavailable-error.ts';

/** How a program ended. */
export interface ToolResult {
  readonly status: number | null;
  readonly killedBy: NodeJS.Signals | null;
  /** The lines of its standard error, in the C locale; of very many only the first. */
  readonly complaints: readonly string[];
}

export interface ToolOptions {
  /** The working directory. */
  cwd: string;
  /** What it reads from standard input. */
  input?: Uint8Array;
  signal?: AbortSignal | undefined;
}

const COMPLAINT_BYTES = 256 * 1024;
/** `env` says so when it cannot find the program. */
const NOT_FOUND = 127;

/**
 * Runs a program with an argument vector in a process group of its own. On abort the group is killed, and the promise
 * rejects only when all of it has ended: nobody writes any more.
 */
export async function runTool(command: readonly string[], options: ToolOptions): Promise<ToolResult> {
  options.signal?.throwIfAborted();
  const child = await startTool(command, options.cwd, options.input !== undefined, false);
  const [result] = await Promise.all([
    waitFor(child, command, options.signal),
    options.input === undefined ? undefined : feed(child, options.input),
  ]);
  return result;
}

/** Runs two programs, the first's output being the second's input. */
export async function pipeTools(
  from: readonly string[],
  to: readonly string[],
  options: ToolOptions & { toCwd: string },
): Promise<[ToolResult, ToolResult]> {
  const { cwd, toCwd, input, signal } = options;
  signal?.throwIfAborted();
  const { pipeline } = await import('node:stream/promises');
  const source = await startTool(from, cwd, input !== undefined, true);
  const sink = await startTool(to, toCwd, true, false);
  const [sourceResult, sinkResult] = await Promise.all([
    waitFor(source, from, signal),
    waitFor(sink, to, signal),
    input === undefined ? undefined : feed(source, input),
    source.stdout && sink.stdin ? pipeline(source.stdout, sink.stdin).catch(ignoreBrokenPipe) : undefined,
  ]);
  return [sourceResult, sinkResult];
}

async function startTool(
  command: readonly string[],
  cwd: string,
  reads: boolean,
  writes: boolean,
): Promise<ChildProcess> {
  // Loaded when needed, for the sake of commands that start no program.
  const { spawn } = await import('node:child_process');
  // env(1) sets the locale, so that this library need not read the environment it passes on.
  return spawn('env', ['LC_ALL=C', ...command], {
    cwd,
    detached: true,
    stdio: [reads ? 'pipe' : 'ignore', writes ? 'pipe' : 'ignore', 'pipe'],
  });
}

async function feed(child: ChildProcess, input: Uint8Array): Promise<void> {
  await new Promise<void>((resolve) => {
    // A program that ends early has its own way of saying why.
    child.stdin?.on('error', () => resolve()).end(input, () => resolve());
  });
}

function ignoreBrokenPipe(): void {
  // Either program's own status tells.
}

async function waitFor(child: ChildProcess, command: readonly string[], signal?: AbortSignal): Promise<ToolResult> {
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
    if (status === NOT_FOUND) throw missingTool(command, stderr);
    return { status, killedBy, complaints: stderr.split('\n').filter((line) => line !== '') };
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
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

function missingTool(command: readonly string[], stderr: string): Error {
  const missing = /^(?:env|xargs): [‘']?([^:’']+)[’']?:/m.exec(stderr)?.[1] ?? command[0] ?? '';
  const packages: Record<string, string> = { cp: 'coreutils', xargs: 'findutils', tar: 'tar' };
  return new EngineUnavailableError(`The program "${missing}" was not found`, {
    hint: `Install the package ${packages[missing] ?? missing}.`,
    details: { program: missing },
  });
}
