import { formatBytes, formatDuration, formatTable } from '@jvs/cli-kit';
import type { GcPlan, GcResult, PlanSummary } from '@jvs/core-repo';

const SHOWN = 20;

/** Each reason with the words for it, in the order in which they apply. */
const REASONS = [
  ['head', 'heads of worktrees, also those of the last 7 days'],
  ['lineage', 'ancestors of something kept'],
  ['ref', 'refs'],
  ['pin', 'pins'],
  ['intent', 'snapshots being made, or used just now'],
  ['retention', 'rules of the policy'],
  ['age', 'too young'],
] as const;

export function describePlan(plan: GcPlan, { toDelete }: PlanSummary): string {
  const { plan_id: planId, policy_name: name, policy, candidate_count: count } = plan;
  const reasons = REASONS.map(([reason, words]) => [`  ${reason}`, String(plan[`protected_by_${reason}`]), words]);
  const listed = toDelete
    .slice(0, SHOWN)
    .map(({ snapshot_id: id, created_at: at, bytes }) => [
      `  ${id}`,
      at.slice(0, 16).replace('T', ' '),
      formatBytes(bytes),
    ]);
  return [
    `GC Plan: ${planId}`,
    `Policy: ${name} (scope ${policy.scope}, nothing younger than ${formatDuration(policy.min_age_ms)})`,
    'Protected by:',
    formatTable(reasons),
    `To delete: ${count}`,
    ...(listed.length > 0 ? [formatTable(listed)] : []),
    ...(count > SHOWN ? [`  … and ${count - SHOWN} more`] : []),
    `Reclaim: at most ${formatBytes(plan.deletable_bytes_estimate)}, of which ${formatBytes(plan.exclusive_bytes_estimate)} are in no other snapshot`,
    ...(count > 0 ? [`Run: jvs gc run --plan-id ${planId}`] : ['Nothing to do.']),
  ].join('\n');
}

export function describeRun(result: GcResult, isDryRun: boolean): string {
  const { abandoned, deleted, deleted_count: count, freed_bytes: freed } = result;
  if (isDryRun) {
    const verb = abandoned ? 'finish deleting' : 'delete';
    return deleted.length === 0 ? `Would ${verb}: nothing` : deleted.map((id) => `Would ${verb}: ${id}`).join('\n');
  }
  return [`GC ${abandoned ? 'abandoned' : 'completed'}: ${count} deleted.`, `Freed: ${formatBytes(freed)}`].join('\n');
}
