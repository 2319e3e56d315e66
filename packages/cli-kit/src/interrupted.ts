const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;
type Interruption = keyof typeof NUMBERS;

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
  if (received !== undefined || controller === undefined) process.exit(128 + NUMBERS[received ?? name]);
  received = name;
  controller.abort();
}
