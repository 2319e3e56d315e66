import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import type { JuiceHost } from '@jvs/services';
import type { CliResult } from '@jvs/testkit';

/** A jvs under way on a host. */
export interface RunningJvs {
  readonly result: Promise<CliResult>;
  /** Resolves once it has stopped itself at a failpoint; rejects if it ends instead. */
  stopped(): Promise<void>;
  resume(): void;
  /** The document, once it has ended with success. */
  json<T>(): Promise<T>;
  /** The class of its failure, once it has failed. */
  error(): Promise<string>;
}

export interface JvsCall {
  cwd: string;
  env: Record<string, string>;
  args: readonly string[];
}

/** Starts jvs with `--json` on a host, in a session and with a home of that host. */
export function startJvs(host: JuiceHost, [program = '', ...before]: readonly string[], call: JvsCall): RunningJvs {
  const env = {
    PATH: process.env['PATH'],
    TZ: 'UTC',
    HOME: `${host.folder}/home`,
    JVS_SESSION: `on ${host.name}`,
    ...call.env,
  };
  // The directory is entered by the host's own path: seen from here it is empty.
  const words = ['-C', call.cwd, program, ...before, '--json', ...call.args];
  const child = host.start('env', words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const result = new Promise<CliResult>((resolve) => {
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
  let ended: CliResult | undefined;
  void result.then((end) => (ended = end));
  const document = async (): Promise<{ error?: { code: string } }> => {
    const end = await result;
    try {
      return JSON.parse(end.stdout) as { error?: { code: string } };
    } catch (cause) {
      throw new Error(`jvs ${call.args.join(' ')} printed no document: ${JSON.stringify(end)}`, { cause });
    }
  };
  return {
    result,
    stopped: async () => {
      while ((await stateOf(child.pid ?? 0)) !== 'T') {
        if (ended !== undefined) throw new Error(`jvs ${call.args.join(' ')} did not stop: ${JSON.stringify(ended)}`);
        await delay(10);
      }
    },
    resume: () => void child.kill('SIGCONT'),
    json: async <T>() => {
      const found = await document();
      if (found.error !== undefined) throw new Error(`jvs ${call.args.join(' ')}: ${JSON.stringify(await result)}`);
      return found as T;
    },
    error: async () => {
      const { error } = await document();
      if (error === undefined) throw new Error(`jvs ${call.args.join(' ')} succeeded: ${JSON.stringify(await result)}`);
      return error.code;
    },
  };
}

async function stateOf(pid: number): Promise<string | undefined> {
  return /^State:\t(\S)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1];
}
