import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface Command {
  program: string;
  args: readonly string[];
  cwd: string;
  env: Record<string, string>;
}

export interface Ended {
  stdout: string;
  ms: number;
}

/** Runs commands one after the other. `ms` is from the start of the first to the end of the last. */
export async function run(...commands: readonly Command[]): Promise<Ended> {
  const startedAt = performance.now();
  let endedAt = startedAt;
  let stdout = '';
  for (const command of commands) {
    const started = start(command);
    endedAt = await started.ended;
    stdout += await started.stdout;
  }
  return { stdout, ms: endedAt - startedAt };
}

/** Starts a command. `ended` settles with the moment of its end and rejects if it failed. */
export function start({ program, args, cwd, env }: Command) {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const stdout = text(child.stdout);
  const stderr = text(child.stderr);
  const ended = new Promise<{ at: number; status: string | undefined }>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve({ at: performance.now(), status: code === 0 ? undefined : String(code ?? signal) }),
    );
  }).then(async ({ at, status }) => {
    if (status === undefined) return at;
    throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${(await stderr).slice(-2000)}`);
  });
  return { pid: child.pid, ended, stdout };
}
