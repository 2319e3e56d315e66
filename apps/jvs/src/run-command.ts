import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { exitingWith, handSignalsOn } from '@jvs/cli-kit';
import { CodedError, hasCode } from '@jvs/platform/errors';

/** The command could not be started. */
class CommandNotStartedError extends CodedError {
  readonly code = 'E_IO';
  constructor(command: string, cause: NodeJS.ErrnoException) {
    const errno = cause.code ?? 'EIO';
    super(
      errno === 'ENOENT' ? `The command "${command}" was not found` : `The command "${command}" cannot be started`,
      {
        cause,
        details: { errno, command },
      },
    );
  }
}

export interface RunOptions {
  env: NodeJS.ProcessEnv;
  /** Aborted when the command must end; it then gets SIGTERM, once, and is waited for. */
  end: AbortSignal;
}

/**
 * Runs a command on our own stdin, stdout and stderr, and hands signals on to it. Returns its exit status, as a shell
 * would: 128 + n when signal n ended it.
 * @throws CommandNotStartedError, with which the program ends as a shell would: 127 not found, 126 not executable
 */
export async function runCommand(
  [command = '', ...args]: readonly string[],
  { env, end }: RunOptions,
): Promise<number> {
  end.throwIfAborted();
  let child: ChildProcess | undefined;
  const terminate = (): void => void child?.kill('SIGTERM');
  // Before the command starts, for it may be signalled through us as soon as it runs.
  const release = handSignalsOn((name) => child?.kill(name));
  end.addEventListener('abort', terminate);
  try {
    child = spawn(command, args, { stdio: 'inherit', env });
    return await endOf(child, command);
  } finally {
    end.removeEventListener('abort', terminate);
    release();
  }
}

async function endOf(child: ChildProcess, command: string): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    child.once('error', (error) => {
      if (child.pid !== undefined) return;
      reject(exitingWith(hasCode(error, 'ENOENT') ? 127 : 126, new CommandNotStartedError(command, error)));
    });
    child.once('exit', (status, signal) => resolve(signal === null ? (status ?? 1) : 128 + constants.signals[signal]));
  });
}
