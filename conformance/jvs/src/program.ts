import { Buffer } from 'node:buffer';
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ExpectationError } from './expectations.ts';

/** What a command did. */
export interface Outcome {
  /** Null when a signal ended it. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A command under way. */
export interface Running {
  readonly outcome: Promise<Outcome>;
  /** Resolves once the process has stopped itself, or has ended instead. */
  readonly stopped: () => Promise<'stopped' | 'ended'>;
  readonly resume: () => void;
  readonly kill: () => void;
}

export interface StartOptions {
  cwd: string;
  /** The whole environment of the process. */
  env: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}

/** Nothing that a check does takes longer, unless it hangs. */
const PATIENCE_MS = 120_000;

/** Starts `words`, a program and its arguments, with this environment and no other. */
export function startProgram(words: readonly string[], { cwd, env, signal }: StartOptions): Running {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const child = spawn('env', ['-i', ...variables, ...words], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let isOver = false;
  const outcome = collect(child, words, cwd, signal).finally(() => (isOver = true));
  outcome.catch(() => undefined);
  return {
    outcome,
    stopped: async () => {
      while ((await stateOf(child)) !== 'T') {
        if (isOver) return 'ended';
        await delay(5);
      }
      return 'stopped';
    },
    resume: () => void child.kill('SIGCONT'),
    kill: () => void child.kill('SIGKILL'),
  };
}

async function collect(
  child: ChildProcess,
  words: readonly string[],
  cwd: string,
  signal?: AbortSignal,
): Promise<Outcome> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  let isLate = false;
  const kill = (): void => void child.kill('SIGKILL');
  const timer = setTimeout(() => {
    isLate = true;
    kill();
  }, PATIENCE_MS);
  signal?.addEventListener('abort', kill, { once: true });
  const [exitCode, endedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    // env(1) is everywhere, so what is missing is the directory that an earlier command should have made.
    child.once('error', (error) =>
      reject(new ExpectationError(`${words.join(' ')} cannot run in ${cwd}: ${error.message}`)),
    );
    child.once('close', (code, name) => resolve([code, name]));
  }).finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
  });
  signal?.throwIfAborted();
  const outcome = { exitCode, signal: endedBy, stdout: text(stdout), stderr: text(stderr) };
  if (isLate) throw new ExpectationError(`${words.join(' ')} still ran after ${PATIENCE_MS} ms: ${shown(outcome)}`);
  return outcome;
}

/** An outcome in one line, for messages. */
export function shown({ exitCode, signal, stdout, stderr }: Outcome): string {
  const end = signal ?? `exit status ${exitCode}`;
  const said = [stderr, stdout].map((part) => part.trim()).filter((part) => part !== '');
  return `${end}${said.map((part) => `; ${part.length > 400 ? `${part.slice(0, 400)}…` : part}`).join('')}`;
}

function text(chunks: Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}

/** The state letter of `proc_pid_stat(5)`; undefined when there is no such process. */
async function stateOf({ pid }: ChildProcess): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2)[0];
}
