import type { JsonObject } from '@jvs/platform/canonical-json';
import { timestamp } from '@jvs/platform/clock';
import { auditBackwards, auditLog, callersEvent } from '../audit/audit-log.ts';
import { parseAuditRecord, type AuditRecord } from '../audit/audit-record.ts';
import type { Repository } from '../repository.ts';
import { GcPlanMismatchError } from './plan.ts';
import type { PlanTombstones } from './tombstone.ts';

/** One process at work on a plan. Its trees go through a directory of its own, `tmp/op-<runId>`. */
export interface GcRun {
  planId: string;
  runId: string;
  /** Of the plan; null when its file is lost. */
  planChecksum: string | null;
}

/** Condemns the plan's snapshots at exactly this number of the audit chain. From then on nobody makes one of them a root. */
export async function appendMark(r: Repository, seq: number, run: GcRun): Promise<'done' | 'lost'> {
  const event = callersEvent(r, 'gc_mark', { target: run.planId, details: detailsOf(run) });
  const appended = await auditLog(r).appendAt(seq, () => ({
    ...event,
    timestamp: timestamp(r.clock.now()),
    condemned_plan: run.planId,
  }));
  return appended === 'lost' ? 'lost' : 'done';
}

/** Announces a further run, so that whoever abandons the plan knows of its directory; false once the plan has ended. */
export async function appendRun(r: Repository, run: GcRun): Promise<boolean> {
  return await appendWhileCondemned(r, run.planId, run.planId, 'gc_run', detailsOf(run));
}

function detailsOf({ runId, planChecksum }: GcRun): JsonObject {
  return { run_id: runId, plan_checksum: planChecksum };
}

/** Ends the plan, unless another has ended it: false. */
export async function appendDone(r: Repository, planId: string, { ids, digest }: PlanTombstones): Promise<boolean> {
  return await appendWhileCondemned(r, planId, null, 'gc_done', { deleted: ids.length, object_sha256: digest });
}

/** Ends the plan early at exactly this number, so that no run was announced since its runs were claimed. */
export async function appendDoneAt(
  r: Repository,
  seq: number,
  planId: string,
  { tombstones: { ids, digest }, ...why }: { tombstones: PlanTombstones; abandoned: boolean; plan_lost: boolean },
): Promise<'done' | 'lost'> {
  const details = { deleted: ids.length, object_sha256: digest, ...why };
  const event = callersEvent(r, 'gc_done', { target: planId, details });
  const appended = await auditLog(r).appendAt(seq, () => ({
    ...event,
    timestamp: timestamp(r.clock.now()),
    condemned_plan: null,
  }));
  return appended === 'lost' ? 'lost' : 'done';
}

class PlanEnded extends Error {}

async function appendWhileCondemned(
  r: Repository,
  planId: string,
  condemnedPlan: string | null,
  operation: 'gc_run' | 'gc_done',
  details: JsonObject,
): Promise<boolean> {
  const event = callersEvent(r, operation, { target: planId, details });
  try {
    await auditLog(r).append((previous) => {
      const before = previous === undefined ? null : parseAuditRecord(previous).condemned_plan;
      if (before !== planId) throw new PlanEnded();
      return { ...event, timestamp: timestamp(r.clock.now()), condemned_plan: condemnedPlan };
    });
    return true;
  } catch (error) {
    if (error instanceof PlanEnded) return false;
    throw error;
  }
}

/** Ids of the runs that have announced themselves for the plan, newest first. */
export async function findRuns(r: Repository, planId: string): Promise<string[]> {
  const runs: string[] = [];
  for await (const record of auditBackwards(r)) {
    const { operation, target, details } = record;
    if (target !== planId || (operation !== 'gc_mark' && operation !== 'gc_run')) continue;
    const runId = details['run_id'];
    if (typeof runId === 'string' && RUN_ID.test(runId)) runs.push(runId);
    if (operation === 'gc_mark') break;
  }
  return runs;
}

const RUN_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The newest records behind number `seq`, oldest first. */
export async function recordsBehind(r: Repository, seq: number): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of auditLog(r).records(seq + 1)) records.push(parseAuditRecord(record));
  return records;
}

/** What the chain says of a plan that was condemned once. */
export async function howEnded(r: Repository, planId: string): Promise<'finished' | 'abandoned' | 'not yet'> {
  for await (const { operation, target, details, condemned_plan: condemned } of auditBackwards(r)) {
    if (condemned === planId) return 'not yet';
    if (operation === 'gc_done' && target === planId) return details['abandoned'] === true ? 'abandoned' : 'finished';
  }
  return 'not yet';
}

/**
 * For a run that may not go on: returns when another has finished the plan.
 * @throws GcPlanMismatchError when it was abandoned, or another is about to
 */
export async function requireFinished(r: Repository, planId: string): Promise<void> {
  const end = await howEnded(r, planId);
  if (end === 'not yet') throw new GcPlanMismatchError(planId, 'another process is ending it');
  if (end === 'abandoned') throw new GcPlanMismatchError(planId, 'it was abandoned meanwhile');
}
