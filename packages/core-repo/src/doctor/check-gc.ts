import { relative } from 'node:path';
import { hasCode } from '@jvs/platform/errors';
import { findCondemnedPlan } from '../audit/audit-log.ts';
import { movedTrees } from '../gc/delete-snapshots.ts';
import { findRuns } from '../gc/gc-records.ts';
import { compareWithRecords, finishDeletions } from '../refs/interrupted-deletions.ts';
import { recoverCreation } from '../refs/recorded-object.ts';
import type { Repository } from '../repository.ts';
import type { Finding, Repair } from './finding.ts';

/** How far back in the audit chain a mere look goes; repairs read all of it. */
const WINDOW_MS = 7 * 86_400_000;

/** A plan that was begun and not finished, and refs and pins whose creation or deletion was interrupted. */
export async function checkGc(r: Repository): Promise<Finding[]> {
  return [...(await checkUnfinished(r)), ...(await checkObjects(r))];
}

async function checkUnfinished(r: Repository): Promise<Finding[]> {
  const plan = await findCondemnedPlan(r);
  if (plan === undefined) return [];
  const { planId, isReadable } = plan;
  const moved = await movedTrees(r, await findRuns(r, planId));
  const lost = isReadable ? '' : ' Its file is lost, so that only what was moved away already will be deleted.';
  return [
    {
      category: 'gc_unfinished',
      code: null,
      severity: 'warning',
      path: relative(r.root, r.layout.plan(planId)),
      description:
        `The deletion of snapshots by plan ${planId} is under way or was interrupted; ${moved.length} of them lie in temporary directories.${lost} ` +
        `Until it ends, its snapshots cannot be named or restored: finish it with "jvs gc run --plan-id ${planId}", ` +
        `or keep what is left with "jvs gc run --abandon ${planId}".`,
      repair: null,
    },
  ];
}

async function checkObjects(r: Repository): Promise<Finding[]> {
  const { deleted, unrecorded, emptyRefs } = await compareWithRecords(r, { sinceMs: r.clock.now() - WINDOW_MS });
  const findings: Finding[] = [];
  for (const { kind, name, path } of deleted) {
    findings.push({
      category: 'interrupted_deletion',
      code: null,
      severity: 'warning',
      path: relative(r.root, path),
      description: `The ${kind} "${name}" was deleted, which was recorded, but its file is still there and protects its snapshot.`,
      repair: 'clean_tmp',
    });
  }
  for (const path of emptyRefs) {
    findings.push({
      category: 'interrupted_deletion',
      code: null,
      severity: 'info',
      path: relative(r.root, path),
      description: 'An empty directory that the deletion of a ref has left.',
      repair: 'clean_tmp',
    });
  }
  for (const { kind, name, path } of unrecorded) {
    findings.push({
      category: 'audit_missing',
      code: null,
      severity: 'warning',
      path: relative(r.root, path),
      description: `The creation of the ${kind} "${name}" was interrupted before it was recorded. It protects its snapshot.`,
      repair: 'audit_backfill',
    });
  }
  return findings;
}

/** `clean_tmp`, as far as it is about refs and pins: finishes what was recorded as deleted. */
export async function cleanDeletions(r: Repository): Promise<Repair[]> {
  const finished = await finishDeletions(r);
  return finished.map((name) => ({ repair: 'clean_tmp', description: `Finished deleting the ${name}.` }));
}

/**
 * `audit_backfill`, as far as it is about refs and pins: records those whose maker died before he did. One whose snapshot
 * is condemned or gone stays as it is; it dangles, and whoever made it may still be at work on taking it back.
 */
export async function backfillObjects(r: Repository): Promise<Repair[]> {
  const { unrecorded } = await compareWithRecords(r);
  const repairs: Repair[] = [];
  for (const object of unrecorded) {
    try {
      await recoverCreation(r, object);
      repairs.push({
        repair: 'audit_backfill',
        description: `Recorded the creation of the ${object.kind} "${object.name}".`,
      });
    } catch (error) {
      if (!hasCode(error, 'E_SNAPSHOT_CONDEMNED', 'ENOENT')) throw error;
    }
  }
  return repairs;
}
