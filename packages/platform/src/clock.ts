import { uptime } from 'node:os';
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
  // Hundredths of a second, as the kernel tells them.
  monotonic: () => Math.round(uptime() * 1000),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  },
};

/** `YYYY-MM-DDTHH:MM:SS.mmmZ`, as in every file of a repository. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
