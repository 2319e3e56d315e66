import { Buffer } from 'node:buffer';
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { requireFreshBuild } from './fresh-build.ts';

/** The CLI under test: the built one, or the program that the variable `JVS_BIN` names, which Node must be able to run. */
export const JVS_BIN =
  process.env['JVS_BIN'] ?? fileURLToPath(new URL('../../../apps/jvs/dist/main.js', import.meta.url));
const IS_OURS = process.env['JVS_BIN'] === undefined;

export interface CliOptions {
  cwd: string;
  /** Added to an environment that holds `PATH` and `TZ` only; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Runs it as this user and group instead of our own, which takes root. */
  uid?: number;
  /** What the command reads from stdin, which is empty otherwise. */
  input?: string;
  /** After this the command is killed and the test fails: nothing may hang. Default 30,000. */
  timeoutMs?: number;
}

export interface CliResult {
  /** Null when a signal ended the command. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A command under way. */
export interface RunningCli {
  readonly pid: number;
  /** Settles when the command has ended and its output was read. */
  readonly result: Promise<CliResult>;
  /** Resolves once the command has stopped itself (state `T`); rejects if it ends instead. */
  stopped(): Promise<void>;
  suspend(): void;
  resume(): void;
  kill(): void;
}

/** Runs the built jvs to its end in an otherwise empty environment. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).result;
}

/** Starts the built jvs in an otherwise empty environment. */
export function startCli(args: readonly string[], options: CliOptions): RunningCli {
  if (IS_OURS) requireFreshBuild(JVS_BIN);
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', TZ: 'UTC', ...options.env };
  const { cwd, uid } = options;
  const identity = uid === undefined ? {} : { uid, gid: uid };
  const bin = uid === undefined ? JVS_BIN : visibleCopy();
  const child = spawn(process.execPath, [bin, ...args], { cwd, env, stdio: 'pipe', ...identity });
  const { pid } = child;
  if (pid === undefined) throw new Error(`Cannot start jvs in ${cwd}`);

  let ended = false;
  const result = collect(child, args, options).finally(() => (ended = true));
  result.catch(() => undefined);

  return {
    pid,
    result,
    stopped: async () => {
      while ((await processState(pid)) !== 'T') {
        if (ended) throw new Error(`jvs ${args.join(' ')} ended without stopping: ${JSON.stringify(await result)}`);
        await delay(5);
      }
    },
    suspend: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill: () => void child.kill('SIGKILL'),
  };
}

let copy: string | undefined;

/** The program at a path that every user can reach: the checkout may lie in a closed home. */
function visibleCopy(): string {
  if (copy !== undefined) return copy;
  const folder = mkdtempSync(join(tmpdir(), 'jvs-bin-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const source = dirname(JVS_BIN);
  cpSync(source, join(folder, 'dist'), { recursive: true });
  cpSync(join(source, '..', 'package.json'), join(folder, 'package.json'));
  copy = join(folder, 'dist', basename(JVS_BIN));
  return copy;
}

async function collect(child: ChildProcess, args: readonly string[], options: CliOptions): Promise<CliResult> {
  const { input = '', timeoutMs = 30_000 } = options;
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);

  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, name) => resolve([code, name]));
  }).finally(() => clearTimeout(timer));

  const result = { exitCode, signal, stdout: text(stdout), stderr: text(stderr) };
  if (timedOut) throw new Error(`jvs ${args.join(' ')} still ran after ${timeoutMs} ms: ${JSON.stringify(result)}`);
  return result;
}

function text(chunks: Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}

/** The state letter of `proc_pid_stat(5)`; undefined when there is no such process. */
async function processState(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0];
  } catch {
    return undefined;
  }
}
