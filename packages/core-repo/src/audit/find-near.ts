import type { ExclusiveLog, LogRecord } from '@jvs/platform/exclusive-log';

/** So many records on either side of where an event's time points; clocks of several hosts differ by a little. */
const REACH = 64;

/** An event is not recorded before it happens, but for clocks that are apart. */
const DISORDER_MS = 3_600_000;

/**
 * Whether an event stands about where its time says that it should. Times in a log are nearly in order, so that the
 * place is found by halving: a worktree that has slept through a hundred thousand records of others need not read them.
 * False says nothing: the event may have been recorded much later.
 */
export async function standsNear(log: ExclusiveLog, eventId: string, atMs: number): Promise<boolean> {
  const tip = await log.tip();
  if (tip === undefined) return false;
  const place = await firstNotBefore(log, tip.seq, atMs);
  for (let distance = 0; distance <= REACH; distance += 1) {
    for (const seq of distance === 0 ? [place] : [place + distance, place - distance]) {
      if (seq < 1 || seq > tip.seq) continue;
      const record = await log.read(seq);
      if (record?.['event_id'] === eventId) return timeOf(record) >= atMs - DISORDER_MS;
    }
  }
  return false;
}

async function firstNotBefore(log: ExclusiveLog, last: number, atMs: number): Promise<number> {
  let low = 1;
  let high = last;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (timeOf(await log.read(middle)) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function timeOf(record: LogRecord | undefined): number {
  const at = record?.['timestamp'];
  return typeof at === 'string' ? Date.parse(at) : NaN;
}
