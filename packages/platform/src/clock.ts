import { setTimeout as delay } from 'node:timers/promises';

/** Time as operations see it. Tests pass one that stands still. */
export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** A clock that never goes back, in ms, the same for all processes of one boot. */
  monotonic(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // CLOCK_MONOTONIC. What os.uptime() reads may count from the start of a container, whose boot id is the host's.
  // oxlint-disable-next-line no-restricted-globals
  monotonic: () => Number(process.hrtime.bigint() / 1_000_000n),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  },
};

/** `YYYY-MM-DDTHH:MM:SS.mmmZ`, as in every file of a repository. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
