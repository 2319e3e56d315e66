import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Also the folders with programs for administrators, which a user's PATH may lack. English messages. */
export const ENVIRONMENT = {
  ...process.env,
  PATH: `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`,
  LC_ALL: 'C',
};

/** Runs a program to its end, at most a minute. Returns what it printed; rejects with what it said when it fails. */
export async function run(program: string, args: readonly string[], { cwd }: { cwd?: string } = {}): Promise<string> {
  const { stdout } = await execute(program, args, { env: ENVIRONMENT, cwd, timeout: 60_000, killSignal: 'SIGKILL' });
  return stdout;
}
