import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { prettyJson } from '@jvs/platform/canonical-json';
import { replaceFile } from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { readBootId } from '@jvs/platform/filesystem';
import { stateDirectory } from './credentials.ts';
import { filesystemNow, hasOneClock, readHeartbeat, takeOverTime } from './lease-clock.ts';
import type { LockState } from './lock-state.ts';
import type { LockSite, StateRecord } from './worktree-state.ts';

/** Clocks disagree by more than the lock allows, so the time alone does not show that its holder is gone. */
export class ClockSkewError extends CodedError {
  readonly code = 'E_CLOCK_SKEW_EXCEEDED';
  constructor(offsetMs: number, lock: LockState) {
    super(`Clocks disagree by ${offsetMs} ms, more than the ${lock.max_clock_skew_ms} ms that the lock allows`, {
      hint: 'Set the clocks right, or keep asking: a lock that shows no sign of life for a whole lease can be taken by observation.',
      details: { offset_ms: offsetMs, max_clock_skew_ms: lock.max_clock_skew_ms },
    });
  }
}

/** Whether a held lock may be taken over, and if not, from when on (epoch ms of the filesystem's clock). */
export type TakeOver =
  | { evidence: 'clock' | 'observation' }
  | { evidence: null; earliestMs: number; skew: ClockSkewError | undefined };

const Sighting = z.looseObject({ seq: z.int(), heartbeat_ms: z.int(), seen_at_ms: z.int(), boot_id: z.string() });

/**
 * Looks for evidence that the holder is gone: A, the clock, where one clock surely stamps both the heartbeat and our
 * probe; or B, an observation: record and heartbeat stayed the same for a whole lease of our own monotonic clock.
 * The first sighting is remembered, so that B spans commands.
 */
export async function findEvidence(site: LockSite, record: StateRecord, lock: LockState): Promise<TakeOver> {
  const heartbeat = await readHeartbeat(site, record);
  const before = site.clock.now();
  const fsNow = await filesystemNow(site);
  const after = site.clock.now();
  const oneClock = await hasOneClock(site, lock);
  const timeIsUp = oneClock && fsNow > takeOverTime(lock, heartbeat);
  // A probe that took long, or that we slept through, stands anywhere in between.
  const distance = Math.max(before - fsNow, fsNow - after);
  const offset = Math.max(timeIsUp ? distance : 0, heartbeat - fsNow);
  const skew = offset > lock.max_clock_skew_ms ? new ClockSkewError(offset, lock) : undefined;
  if (timeIsUp && skew === undefined) return { evidence: 'clock' };

  const patience = takeOverTime(lock, 0);
  const watched = await observe(site, record.seq, heartbeat);
  if (watched >= patience) return { evidence: 'observation' };
  const byObservation = fsNow + patience - watched;
  const earliestMs =
    oneClock && skew === undefined ? Math.min(takeOverTime(lock, heartbeat), byObservation) : byObservation;
  return { evidence: null, earliestMs, skew };
}

/** For how long, in ms, this very heartbeat has been seen unchanged; a first sight of it is remembered. */
async function observe(site: LockSite, seq: number, heartbeatMs: number): Promise<number> {
  const directory = await stateDirectory(site);
  const watched = await watchedFor(site, seq, heartbeatMs);
  if (watched !== undefined) return watched;
  const sighting = {
    seq,
    heartbeat_ms: heartbeatMs,
    seen_at_ms: site.clock.monotonic(),
    boot_id: await readBootId(),
  };
  await replaceFile(sightingPath(site, directory), prettyJson(sighting), directory, 0o600);
  return 0;
}

/** For how long, in ms, this very heartbeat is known to stand still; undefined when it was never seen. Writes nothing. */
export async function watchedFor(site: LockSite, seq: number, heartbeatMs: number): Promise<number | undefined> {
  if (site.credentialsDirectory === undefined) return undefined;
  const seen = await readSighting(sightingPath(site, site.credentialsDirectory));
  const now = site.clock.monotonic();
  const isSame = seen?.seq === seq && seen.heartbeat_ms === heartbeatMs && seen.boot_id === (await readBootId());
  return isSame && seen.seen_at_ms <= now ? now - seen.seen_at_ms : undefined;
}

function sightingPath({ worktreeId }: LockSite, directory: string): string {
  return join(directory, `observed-${worktreeId}.json`);
}

async function readSighting(path: string): Promise<z.infer<typeof Sighting> | undefined> {
  try {
    return Sighting.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
