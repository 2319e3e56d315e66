import { armFailpoint } from '@jvs/platform/failpoint';
import { UsageError } from './usage-error.ts';

/**
 * Arms what `JVS_FAILPOINT` asks for: `<name>=<action>`, where the action is `exit` (status 70, no clean-up), `kill`
 * (SIGKILL), `stop` (SIGSTOP, then on as if nothing were), or `error:<ERRNO>`. Unset or empty, nothing happens.
 */
export function armFromVariable(value: string | undefined): void {
  if (value === undefined || value === '') return;
  const split = value.indexOf('=');
  const act = actionOf(value.slice(split + 1));
  if (split < 1 || act === undefined) {
    throw new UsageError(`JVS_FAILPOINT is "${value}"`, { hint: 'It is <name>=exit|kill|stop|error:<ERRNO>.' });
  }
  armFailpoint(value.slice(0, split), act);
}

function actionOf(action: string): (() => void) | undefined {
  if (action === 'exit') return () => process.exit(70);
  if (action === 'kill') return () => void process.kill(process.pid, 'SIGKILL');
  if (action === 'stop') return () => void process.kill(process.pid, 'SIGSTOP');
  const errno = /^error:(E[A-Z0-9]+)$/.exec(action)?.[1];
  if (errno === undefined) return undefined;
  return () => {
    throw Object.assign(new Error(`${errno}: a failpoint says so`), { code: errno, syscall: 'failpoint' });
  };
}
