import { rename } from 'node:fs/promises';
import { syncDirectory } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { filesystemKind } from '@jvs/platform/filesystem';
import { readAuditTip } from '../audit/audit-log.ts';
import type { Repository } from '../repository.ts';
import {
  finishSnapshots,
  movedTrees,
  neededBases,
  removeFormerBases,
  removeTrees,
  type OnFreed,
} from './delete-snapshots.ts';
import { appendDoneAt, findRuns, howEnded } from './gc-records.ts';
import { tidyUp, withTally, type GcResult } from './gc-result.ts';
import { findPlan, GcPlanMismatchError, PLAN_ID } from './plan.ts';
import { digestTombstones, tombstonedIds } from './tombstone.ts';

/** Clients of a network filesystem may resolve a renamed directory's old name for this long. */
const NETWORK_CACHE_MS = 3000;

export interface AbandonGcOptions {
  /** Only tell which snapshots are half deleted and would be finished. */
  dryRun?: boolean | undefined;
}

/**
 * Ends a plan whose deletions have begun: what was moved away is deleted for good, all else of it stays.
 * @throws GcPlanMismatchError when the plan is not in progress
 */
export async function abandonGc(r: Repository, planId: string, options: AbandonGcOptions = {}): Promise<GcResult> {
  await requireInProgress(r, planId);
  if (options.dryRun === true) {
    const ids = (await movedTrees(r, await findRuns(r, planId))).map(({ id }) => id);
    return { ...resultOf(planId, ids, true), freed_bytes: 0 };
  }
  return await withTally(r, planId, (onFreed) => endPlanEarly(r, planId, { abandoned: true, onFreed }));
}

async function requireInProgress(r: Repository, planId: string): Promise<void> {
  const condemned = PLAN_ID.test(planId) ? ((await readAuditTip(r))?.condemned_plan ?? null) : null;
  if (condemned === planId) return;
  throw new GcPlanMismatchError(planId, 'none of its deletions are under way', {
    hint: 'There is nothing to abandon. A plan that was never run does no harm.',
  });
}

function resultOf(planId: string, deleted: string[], abandoned: boolean): Omit<GcResult, 'freed_bytes'> {
  return { plan_id: planId, deleted_count: deleted.length, deleted, failed: [], abandoned };
}

/**
 * Takes their directories from all runs of the plan, so that even a frozen one moves nothing more, finishes what lies in
 * them, and ends the plan at exactly the number after the record that was read before; a run announced since then would
 * have taken it. Without the plan's file nobody knows what else it was to delete, so that a plan whose file is lost is
 * finished in this way, too.
 */
export async function endPlanEarly(
  r: Repository,
  planId: string,
  { abandoned, onFreed }: { abandoned: boolean; onFreed: OnFreed },
): Promise<Omit<GcResult, 'freed_bytes'>> {
  for (;;) {
    const tip = await readAuditTip(r);
    if (tip?.condemned_plan !== planId) break;
    const runs = await findRuns(r, planId);
    await claimRuns(r, runs);
    failpoint('gc:abandon-claim');
    const trees = await movedTrees(r, runs);
    const ids = trees.map(({ id }) => id);
    await finishSnapshots(r, planId, ids, await neededBases(r, new Set(ids)));
    await removeTrees(
      trees.map(({ path }) => path),
      onFreed,
    );
    await removeFormerBases(r);
    const tombstones = await digestTombstones(r, planId, await tombstonedIds(r));
    const why = { tombstones, abandoned, plan_lost: (await listedIds(r, planId)) === undefined };
    if ((await appendDoneAt(r, tip.seq + 1, planId, why)) === 'lost') continue;
    failpoint('gc:abandon-done');
    await tidyUp(r, planId);
    return resultOf(planId, tombstones.ids, abandoned);
  }
  // Another process has ended it, by abandoning or by finishing, and one is as good as the other.
  const end = await howEnded(r, planId);
  await tidyUp(r, planId);
  const { ids } = await digestTombstones(r, planId, await tombstonedIds(r));
  return resultOf(planId, ids, end === 'abandoned');
}

async function listedIds(r: Repository, planId: string): Promise<readonly string[] | undefined> {
  const plan = await findPlan(r, planId).catch((error: unknown) => {
    if (error instanceof GcPlanMismatchError) return undefined;
    throw error;
  });
  return plan?.to_delete;
}

/** One that has been claimed already keeps its new name. */
async function claimRuns(r: Repository, runs: readonly string[]): Promise<void> {
  let isClaimed = false;
  for (const run of runs) {
    const directory = r.layout.opDirectory(run);
    try {
      await rename(directory, `${directory}.1`);
      isClaimed = true;
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  await syncDirectory(r.layout.tmp);
  if (isClaimed && !(await filesystemKind(r.layout.tmp)).local) await r.clock.sleep(NETWORK_CACHE_MS);
}
