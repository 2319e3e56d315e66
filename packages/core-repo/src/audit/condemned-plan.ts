import * as z from 'zod/mini';
import { readControlFile } from '../control-file.ts';
import type { Repository } from '../repository.ts';

const PlanDeletions = z.looseObject({ to_delete: z.array(z.string()) });
const PLAN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A plan of garbage collection whose deletions have begun, and have neither been finished nor abandoned. */
export interface CondemnedPlan {
  planId: string;
  /** False when its file is lost or damaged. */
  isReadable: boolean;
  /** Whether it deletes the snapshot. A plan that cannot be read deletes any, for all that anybody can tell. */
  covers(snapshotId: string): boolean;
}

/** What the condemned plan of this id deletes. */
export async function readCondemnedPlan(r: Repository, planId: string): Promise<CondemnedPlan> {
  const listed = await readDeletions(r, planId);
  return {
    planId,
    isReadable: listed !== undefined,
    covers: (snapshotId) => listed === undefined || listed.has(snapshotId),
  };
}

async function readDeletions(r: Repository, planId: string): Promise<Set<string> | undefined> {
  if (!PLAN_ID.test(planId)) return undefined;
  try {
    const plan = await readControlFile(r.layout.plan(planId), PlanDeletions);
    return plan === undefined ? undefined : new Set(plan.to_delete);
  } catch {
    return undefined;
  }
}
