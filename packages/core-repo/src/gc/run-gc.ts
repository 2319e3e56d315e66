import { randomUUID } from 'node:crypto';
import { mkdir, rmdir } from 'node:fs/promises';
import { failpoint } from '@jvs/platform/failpoint';
import { readAuditTip } from '../audit/audit-log.ts';
import type { OnProgress } from '../progress.ts';
import type { Repository } from '../repository.ts';
import { deleteSnapshots, movedTrees, removeFormerBases, removeTrees } from './delete-snapshots.ts';
import { endPlanEarly } from './abandon-gc.ts';
import {
  appendDone,
  appendMark,
  appendRun,
  findRuns,
  recordsBehind,
  requireFinished,
  type GcRun,
} from './gc-records.ts';
import { tidyUp, withTally, type GcResult, type RunPorts } from './gc-result.ts';
import { findPlan, GcPlanMismatchError, type GcPlan } from './plan.ts';
import { chooseDeletions } from './plan-gc.ts';
import { digestTombstones, readTombstone } from './tombstone.ts';

export interface RunGcOptions {
  /** Only check whether the plan still holds. */
  dryRun?: boolean | undefined;
  /** Stops between snapshots; running the plan again goes on. */
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

/**
 * Deletes what a plan lists, if the plan would still be the same. What was begun can be gone on with by running it
 * again, by anybody, at any time; no snapshot that something refers to is ever deleted.
 * @throws GcPlanMismatchError, GcStoppedError when a file cannot be moved or removed
 */
export async function runGc(r: Repository, planId: string, options: RunGcOptions = {}): Promise<GcResult> {
  if (options.dryRun === true) return await foresee(r, planId);
  const { signal, onProgress } = options;
  return await withTally(r, planId, (onFreed) => {
    const tell = (bytes: number): void => {
      onFreed(bytes);
      onProgress?.({ type: 'advanced', bytes });
    };
    return carryOut(r, planId, { onFreed: tell, onProgress, signal });
  });
}

async function foresee(r: Repository, planId: string): Promise<GcResult> {
  const plan = await findPlan(r, planId);
  if (plan === undefined) throw unknownPlan(planId);
  const isCondemned = (await refuseOtherPlan(r, planId)) === planId;
  if (!isCondemned) await requireUnchanged(r, plan);
  return { ...resultOf(plan), freed_bytes: 0 };
}

function resultOf({ plan_id, to_delete }: GcPlan): Omit<GcResult, 'freed_bytes'> {
  return { plan_id, deleted_count: to_delete.length, deleted: to_delete, failed: [], abandoned: false };
}

async function carryOut(r: Repository, planId: string, ports: RunPorts): Promise<Omit<GcResult, 'freed_bytes'>> {
  const isCondemned = (await refuseOtherPlan(r, planId)) === planId;
  const plan = await findPlan(r, planId).catch((error: unknown) => {
    if (isCondemned && error instanceof GcPlanMismatchError) return undefined;
    throw error;
  });
  if (plan === undefined && isCondemned)
    return await endPlanEarly(r, planId, { abandoned: false, onFreed: ports.onFreed });
  if (plan === undefined) throw unknownPlan(planId);
  if (!isCondemned && plan.to_delete.length === 0) return resultOf(plan);
  if (isCondemned || !(await isFinished(r, plan))) {
    const run = { planId, runId: randomUUID(), planChecksum: plan.plan_checksum.value };
    if (await begin(r, plan, run, isCondemned, ports.signal)) await finish(r, plan, run, ports);
  }
  await tidyUp(r, planId);
  return resultOf(plan);
}

/** The condemned plan, if any, and only if it is this one. */
async function refuseOtherPlan(r: Repository, planId: string): Promise<string | null> {
  const condemned = (await readAuditTip(r))?.condemned_plan ?? null;
  if (condemned !== null && condemned !== planId) throw otherPlan(planId, condemned);
  return condemned;
}

function otherPlan(planId: string, other: string): GcPlanMismatchError {
  return new GcPlanMismatchError(planId, `plan ${other} is not finished`, {
    hint: `Finish that one first, with "jvs gc run --plan-id ${other}" or "jvs gc run --abandon ${other}".`,
    condemned_plan: other,
  });
}

function unknownPlan(planId: string): GcPlanMismatchError {
  return new GcPlanMismatchError(planId, 'there is no such plan');
}

/** Whether a run did everything and died when it had only to clean up. */
async function isFinished(r: Repository, plan: GcPlan): Promise<boolean> {
  for (const id of plan.to_delete) if ((await readTombstone(r, id))?.plan_id !== plan.plan_id) return false;
  return plan.to_delete.length > 0;
}

/** Makes the run's directory and puts the run on record. False when another has finished the plan meanwhile. */
async function begin(
  r: Repository,
  plan: GcPlan,
  run: GcRun,
  isCondemned: boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const directory = r.layout.opDirectory(run.runId);
  try {
    if (isCondemned || (await condemn(r, plan, run, directory, signal)) === 'resume') {
      await mkdir(directory, { recursive: true });
      failpoint('gc:rundir');
      if (!(await appendRun(r, run))) {
        await requireFinished(r, plan.plan_id);
        await rmdir(directory);
        return false;
      }
    }
    failpoint('gc:mark');
    return true;
  } catch (error) {
    // Whatever has been moved there keeps it.
    await rmdir(directory).catch(() => {});
    throw error;
  }
}

/**
 * Reads the tip, then candidates and roots, and condemns at exactly the next number. If that is taken, only what came in
 * between needs a look: whoever makes a candidate a root says so there, and so one of the two sees the other.
 */
async function condemn(
  r: Repository,
  plan: GcPlan,
  run: GcRun,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<'marked' | 'resume'> {
  let seen = (await readAuditTip(r))?.seq ?? 0;
  await requireUnchanged(r, plan, signal);
  await mkdir(directory);
  failpoint('gc:rundir');
  const doomed = new Set(plan.to_delete);
  while ((await appendMark(r, seen + 1, run)) === 'lost') {
    for (const { seq, snapshot_id: id, condemned_plan: condemned, operation } of await recordsBehind(r, seen)) {
      if (id !== null && doomed.has(id)) throw drifted(plan.plan_id, [id]);
      if (operation === 'gc_mark' && condemned !== null && condemned !== plan.plan_id) {
        throw otherPlan(plan.plan_id, condemned);
      }
      if (condemned === plan.plan_id) return 'resume';
      seen = seq;
    }
  }
  return 'marked';
}

/** The plan, computed again as of the time it was made, must delete the same. */
async function requireUnchanged(r: Repository, plan: GcPlan, signal?: AbortSignal): Promise<void> {
  const { toDelete } = await chooseDeletions(r, plan.policy, Date.parse(plan.created_at), signal);
  const listed = new Set(plan.to_delete);
  const kept = plan.to_delete.filter((id) => !toDelete.has(id));
  const added = [...toDelete].filter((id) => !listed.has(id));
  if (kept.length + added.length > 0) throw drifted(plan.plan_id, [...kept, ...added]);
}

function drifted(planId: string, ids: readonly string[]): GcPlanMismatchError {
  const shown = ids.slice(0, 10);
  return new GcPlanMismatchError(planId, `since it was made, something changed for ${shown.join(', ')}`, {
    snapshot_ids: shown,
    count: ids.length,
  });
}

async function finish(r: Repository, plan: GcPlan, run: GcRun, ports: RunPorts): Promise<void> {
  const { planId, runId } = run;
  ports.onProgress?.({ type: 'phase', phase: 'deleting' });
  ports.onProgress?.({ type: 'planned', bytes: plan.deletable_bytes_estimate });
  const directory = r.layout.opDirectory(runId);
  if (!(await deleteSnapshots(r, { planId, directory, ids: plan.to_delete, ...ports }))) {
    await requireFinished(r, planId);
    return;
  }
  // Runs that died left trees behind, whose snapshots are all finished by now.
  const left = await movedTrees(r, await findRuns(r, planId));
  await removeTrees(
    left.map(({ path }) => path),
    ports.onFreed,
  );
  await removeFormerBases(r);
  const tombstones = await digestTombstones(r, planId, plan.to_delete);
  if (!(await appendDone(r, planId, tombstones))) await requireFinished(r, planId);
  failpoint('gc:done');
}
