import { join } from 'node:path';
import * as z from 'zod/mini';
import { readControlFile } from '../control-file.ts';
import type { Repository } from '../repository.ts';

const PlanDeletions = z.looseObject({ to_delete: z.array(z.string()) });

/** Whether the condemned plan lists the snapshot. A plan that cannot be read condemns everything. */
export async function planCondemns(r: Repository, planId: string, snapshotId: string): Promise<boolean> {
  try {
    const plan = await readControlFile(join(r.layout.plans, `${planId}.json`), PlanDeletions);
    return plan === undefined || plan.to_delete.includes(snapshotId);
  } catch {
    return true;
  }
}
