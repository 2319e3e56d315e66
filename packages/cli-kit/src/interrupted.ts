import { isatty } from 'node:tty';
import { printWarning } from './output.ts';

/** To take away a large tree that is half made takes a while; silence would invite a second signal, which leaves the rest. */
const TELL_AFTER_MS = 700;
const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;
type Interruption = keyof typeof NUMBERS;

let isHandedOn = false;
let received: Interruption | undefined;
let controller: AbortController | undefined;

/**
 * A signal that the first SIGINT or SIGTERM aborts; the command then stops between two steps. The second one ends the
 * process at once, and so does the first where no command ever asked for this signal.
 */
export function interrupted(): AbortSignal {
  controller ??= new AbortController();
  return controller.signal;
}

/** Catches the signals; called once, by `runCli`. */
export function catchInterruptions(): void {
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => onInterruption(name));
}

/** Signals that a program which runs another one hands on to it. */
const HANDED_ON = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;

/**
 * Until the returned function is called, signals do not interrupt this process but are given to `handler`. SIGINT and
 * SIGQUIT are dropped where a terminal has sent them: it sends them to all programs in the foreground itself.
 */
export function handSignalsOn(handler: (name: NodeJS.Signals) => void): () => void {
  const hasTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  const listeners = HANDED_ON.map((name) => {
    const isFromKeys = hasTerminal && (name === 'SIGINT' || name === 'SIGQUIT');
    const listener = isFromKeys ? () => undefined : () => handler(name);
    process.on(name, listener);
    return { name, listener };
  });
  isHandedOn = true;
  return () => {
    isHandedOn = false;
    for (const { name, listener } of listeners) process.off(name, listener);
  };
}

/** 130 or 143 when a signal came, as shells report it. */
export function interruptionCode(): number | undefined {
  return received === undefined ? undefined : 128 + NUMBERS[received];
}

/** Whether `error`, or what caused it, is the abort itself and not a failure of its own. */
export function isInterruption(error: unknown): boolean {
  if (received === undefined) return false;
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth += 1) {
    if (cause.name === 'AbortError' || cause === controller?.signal.reason) return true;
  }
  return false;
}

function onInterruption(name: Interruption): void {
  if (isHandedOn) return;
  if (received !== undefined || controller === undefined) process.exit(128 + NUMBERS[received ?? name]);
  received = name;
  controller.abort();
  if (process.stderr.isTTY)
    setTimeout(() => printWarning('stopping, and removing what is unfinished'), TELL_AFTER_MS).unref();
}
