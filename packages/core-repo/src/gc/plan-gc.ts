import { timestamp } from '@jvs/platform/clock';
import { failpoint } from '@jvs/platform/failpoint';
import { appendAudit, callersEvent } from '../audit/audit-log.ts';
import { LineageBrokenError } from '../history/lineage.ts';
import type { OnProgress } from '../progress.ts';
import { withReserve } from '../reserve.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { exclusiveBytes } from './byte-estimates.ts';
import { incompleteAmong, readInventory, type KnownSnapshot } from './inventory.ts';
import { writePlan, type GcPlan } from './plan.ts';
import { effectivePolicy, type GcPolicy, type PolicyOptions } from './policy.ts';
import { retained } from './retention.ts';
import { readRoots, type Roots } from './roots.ts';
import { readTombstone } from './tombstone.ts';

export interface PlanGcOptions extends PolicyOptions {
  /** Called with what the plan is about, in more detail than it says itself. */
  onSummary?: ((summary: PlanSummary) => void) | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

/** Sizes in bytes. */
export interface PlanSummary {
  /** What is to be deleted, oldest first. */
  toDelete: { snapshot_id: string; created_at: string; bytes: number }[];
  /** Of all that stays, before any sharing. */
  keptBytes: number;
}

/**
 * Writes down which snapshots may go under a policy, and why the others stay. Deletes nothing. The same repository gives
 * the same plan.
 * @throws NotFoundError for an unknown policy, RetentionInvalidError, and whatever damage keeps it from seeing all roots
 */
export async function planGc(r: Repository, options: PlanGcOptions = {}): Promise<GcPlan> {
  const { onSummary, signal, onProgress } = options;
  return await withReserve(r.layout, async () => {
    const { name, policy } = await effectivePolicy(r, options);
    const nowMs = r.clock.now();
    onProgress?.({ type: 'phase', phase: 'reading snapshots' });
    const { snapshots, toDelete, counts } = await chooseDeletions(r, policy, nowMs, signal);
    const kept = [...snapshots.keys()].filter((id) => !toDelete.has(id));
    const ids = [...toDelete].sort();
    onProgress?.({ type: 'phase', phase: 'measuring' });
    const plan = await writePlan(r, {
      created_at: timestamp(nowMs),
      policy_name: name,
      policy,
      candidate_count: ids.length,
      ...counts,
      to_delete: ids,
      deletable_bytes_estimate: totalBytes(snapshots, ids),
      exclusive_bytes_estimate: await exclusiveBytes(r, ids, kept, signal),
    });
    failpoint('gc:plan');
    const details = { plan_checksum: plan.plan_checksum.value, policy: name, candidates: ids.length };
    await appendAudit(r, callersEvent(r, 'gc_plan', { target: plan.plan_id, details }));
    onSummary?.({
      toDelete: ids.map((id) => {
        const { createdAtMs = 0, bytes = 0 } = snapshots.get(id) ?? {};
        return { snapshot_id: id, created_at: timestamp(createdAtMs), bytes };
      }),
      keptBytes: totalBytes(snapshots, kept),
    });
    return plan;
  });
}

type Counts = Pick<GcPlan, `protected_by_${'head' | 'lineage' | 'ref' | 'pin' | 'intent' | 'retention' | 'age'}`>;

interface Choice {
  snapshots: ReadonlyMap<string, KnownSnapshot>;
  toDelete: Set<string>;
  counts: Counts;
}

/** What goes under the policy as of `nowMs`: candidates are read first and roots after, so that no new root is missed. */
export async function chooseDeletions(
  r: Repository,
  policy: GcPolicy,
  nowMs: number,
  signal?: AbortSignal,
): Promise<Choice> {
  const snapshots = await readInventory(r, signal);
  const worktreeIds = new Set([...snapshots.values()].map(({ worktreeId }) => worktreeId));
  const roots = await readRoots(r, nowMs, worktreeIds);
  const lineage = policy.scope === 'all' ? new Set<string>() : await ancestors(r, snapshots, roots);
  const byRetention = retained(snapshots.values(), policy);
  const counts: Counts = {
    protected_by_head: 0,
    protected_by_lineage: 0,
    protected_by_ref: 0,
    protected_by_pin: 0,
    protected_by_intent: 0,
    protected_by_retention: 0,
    protected_by_age: 0,
  };
  const toDelete = new Set<string>();
  for (const { id, createdAtMs } of snapshots.values()) {
    if (roots.heads.has(id)) counts.protected_by_head += 1;
    else if (lineage.has(id)) counts.protected_by_lineage += 1;
    else if (roots.refs.has(id)) counts.protected_by_ref += 1;
    else if (roots.pins.has(id)) counts.protected_by_pin += 1;
    else if (roots.intents.has(id)) counts.protected_by_intent += 1;
    else if (byRetention.has(id)) counts.protected_by_retention += 1;
    else if (nowMs - createdAtMs < policy.min_age_ms) counts.protected_by_age += 1;
    else toDelete.add(id);
  }
  // What is damaged or half deleted is no candidate: only a visible snapshot is deleted.
  for (const id of await incompleteAmong(r, snapshots, toDelete, signal)) toDelete.delete(id);
  return { snapshots, toDelete, counts };
}

/**
 * All that some root descends from, across deleted snapshots too.
 * @throws LineageBrokenError: behind a gap nobody can tell what is reachable
 */
async function ancestors(
  r: Repository,
  snapshots: ReadonlyMap<string, KnownSnapshot>,
  { heads, refs, pins, intents }: Roots,
): Promise<Set<string>> {
  const found = new Set<string>();
  for (const root of new Set([...heads, ...refs, ...pins, ...intents])) {
    let next = await parentOf(r, snapshots, root);
    // A name may dangle, and a publication may have come to nothing; what was a head was there.
    if (next === undefined && heads.has(root)) throw broken(root);
    while (next !== undefined && next !== null && !found.has(next)) {
      found.add(next);
      const parent = await parentOf(r, snapshots, next);
      if (parent === undefined) throw broken(next);
      next = parent;
    }
  }
  return found;
}

/** Undefined where nothing tells. One that was published after the inventory was read is looked up. */
async function parentOf(
  r: Repository,
  snapshots: ReadonlyMap<string, KnownSnapshot>,
  id: string,
): Promise<string | null | undefined> {
  const known = snapshots.get(id);
  if (known !== undefined) return known.parent;
  const descriptor = (await findDescriptor(r, id)) ?? (await readTombstone(r, id))?.descriptor;
  return descriptor?.parent_snapshot_id;
}

function broken(id: string): LineageBrokenError {
  return new LineageBrokenError(id, 'there is no descriptor and no tombstone');
}

function totalBytes(snapshots: ReadonlyMap<string, KnownSnapshot>, ids: Iterable<string>): number {
  let total = 0;
  for (const id of ids) total += snapshots.get(id)?.bytes ?? 0;
  return total;
}
