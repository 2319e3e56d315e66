import { randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import { canonicalDigest, prettyJson, type JsonObject } from '@jvs/platform/canonical-json';
import { writeOnce } from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { readControlFile } from '../control-file.ts';
import { SnapshotId } from '../names.ts';
import type { Repository } from '../repository.ts';
import { Checksum } from '../snapshot/descriptor.ts';
import { GcPolicy } from './policy.ts';

/** `gc/plans/<plan_id>.json`: what is to be deleted, and why the rest is kept. Format: docs/specs/jvs.md, "The other files". */
export const GcPlan = z.strictObject({
  plan_id: z.uuid(),
  created_at: z.string(),
  policy_name: z.string(),
  policy: GcPolicy,
  candidate_count: z.int(),
  protected_by_head: z.int(),
  protected_by_lineage: z.int(),
  protected_by_ref: z.int(),
  protected_by_pin: z.int(),
  protected_by_intent: z.int(),
  protected_by_retention: z.int(),
  protected_by_age: z.int(),
  /** Sorted. */
  to_delete: z.array(SnapshotId),
  /** All bytes of all of them. */
  deletable_bytes_estimate: z.int(),
  /** Of these, the ones that no kept snapshot has, each content once. */
  exclusive_bytes_estimate: z.int(),
  plan_checksum: Checksum,
});
export type GcPlan = z.infer<typeof GcPlan> & { policy: GcPolicy };

/** The plan is not what is deleted now: unknown, changed, overtaken by events, or not the one in progress. */
export class GcPlanMismatchError extends CodedError {
  readonly code = 'E_GC_PLAN_MISMATCH';
  constructor(planId: string, why: string, { hint, ...details }: { hint?: string; [fact: string]: unknown } = {}) {
    super(`The plan ${planId} cannot be carried out: ${why}`, {
      hint: hint ?? 'Make a new one: jvs gc plan',
      details: { plan_id: planId, why, ...details },
    });
  }
}

export const PLAN_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Gives the facts of a plan their id and checksum, and writes it. */
export async function writePlan(r: Repository, facts: Omit<GcPlan, 'plan_id' | 'plan_checksum'>): Promise<GcPlan> {
  const body = { plan_id: randomUUID(), ...facts };
  const plan = { ...body, plan_checksum: planChecksum(body) };
  await writeOnce(r.layout.plan(plan.plan_id), prettyJson(plan), r.layout.tmp);
  return plan;
}

function planChecksum(plan: object): z.infer<typeof Checksum> {
  return { algo: 'sha256', value: canonicalDigest(plan as JsonObject, 'plan_checksum') };
}

/** Undefined when there is no file. @throws GcPlanMismatchError when it is malformed or its checksum differs */
export async function findPlan(r: Repository, planId: string): Promise<GcPlan | undefined> {
  if (!PLAN_ID.test(planId)) return undefined;
  try {
    const plan = (await readControlFile(r.layout.plan(planId), GcPlan)) as GcPlan | undefined;
    if (plan === undefined) return undefined;
    if (plan.plan_id !== planId) throw new GcPlanMismatchError(planId, `its file is that of plan ${plan.plan_id}`);
    if (planChecksum(plan).value !== plan.plan_checksum.value)
      throw new GcPlanMismatchError(planId, 'it does not agree with its checksum');
    return plan;
  } catch (error) {
    if (!hasCode(error, 'E_DESCRIPTOR_CORRUPT') || !(error instanceof Error)) throw error;
    throw new GcPlanMismatchError(planId, 'its file is damaged', { cause: error.message });
  }
}
