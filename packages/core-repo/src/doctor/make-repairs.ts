import { randomUUID } from 'node:crypto';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { appendAudit } from '../audit/audit-log.ts';
import type { Repository } from '../repository.ts';
import { refillReserve, withReserve } from '../reserve.ts';
import { advanceHead } from './advance-head.ts';
import { repairAudit } from './audit-repair.ts';
import { backfillObjects, cleanDeletions } from './check-gc.ts';
import { rebuildIndex } from './check-index.ts';
import { checkLayout } from './check-layout.ts';
import { rebuildManifests } from './check-manifests.ts';
import { cleanIntents } from './check-publications.ts';
import { cleanTmp } from './check-tmp.ts';
import { backfill, cleanLocks, settlePending } from './check-worktrees.ts';
import { dropOrphans } from './drop-orphans.ts';
import { EXPLICIT_REPAIRS, type Finding, type Repair, type RepairName } from './finding.ts';
import { repairLogs } from './log-repair.ts';
import { resetStates } from './reset-state.ts';

export interface RepairOptions {
  signal?: AbortSignal | undefined;
}

const REPAIRS: Record<RepairName, (r: Repository, options: RepairOptions) => Promise<Repair[]>> = {
  clean_locks: cleanLocks,
  settle: settlePending,
  clean_intents: cleanIntents,
  clean_tmp: async (r) => [...(await cleanTmp(r)), ...(await cleanDeletions(r))],
  rebuild_index: rebuildIndex,
  rebuild_manifest: rebuildManifests,
  audit_backfill: async (r) => [...(await backfill(r)), ...(await backfillObjects(r))],
  reserve: async (r) => {
    const before = await checkLayout(r);
    const isMissing = before.some(({ category }) => category === 'reserve_missing');
    return isMissing && (await refillReserve(r.layout))
      ? [{ repair: 'reserve', description: 'Wrote the reserve.' }]
      : [];
  },
  advance_head: advanceHead,
  drop_orphan: dropOrphans,
  log_repair: repairLogs,
  audit_repair: repairAudit,
  reset_state: resetStates,
};

/** Those that put themselves on record, with more than the name of the repair. */
const SELF_RECORDED: readonly RepairName[] = ['audit_repair', 'reset_state'];

/**
 * Makes repairs in the given order. A runtime repair that meets damage leaves it to the findings, and the others go on;
 * an explicit one says why it fails.
 */
export async function makeRepairs(
  r: Repository,
  names: readonly RepairName[],
  options: RepairOptions,
): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const name of names) {
    options.signal?.throwIfAborted();
    const isExplicit = EXPLICIT_REPAIRS.some((explicit) => explicit === name);
    try {
      // Runtime repairs may be begun again from the start; those that decide something may not.
      const made = isExplicit
        ? await REPAIRS[name](r, options)
        : await withReserve(r.layout, () => REPAIRS[name](r, options));
      repairs.push(...made);
      if (made.length > 0 && !SELF_RECORDED.includes(name)) await recordRepairs(r, name, made);
    } catch (error) {
      const isDamage = error instanceof CodedError || hasCode(error, 'ENOTDIR', 'EISDIR', 'ELOOP', 'EACCES', 'EIO');
      if (isExplicit || !isDamage) throw error;
      r.log.warn({ repair: name, error }, 'repair given up');
    }
  }
  return repairs;
}

async function recordRepairs(r: Repository, repair: RepairName, made: readonly Repair[]): Promise<void> {
  await appendAudit(r, {
    event_id: randomUUID(),
    operation: 'repair',
    actor: r.caller.actor,
    target: null,
    snapshot_id: null,
    fencing_token: null,
    session_id: null,
    reason: null,
    details: { repair, count: made.length, done: made.slice(0, 20).map(({ description }) => description) },
  });
}

/** Findings that a repair mends though they name another one: both decide about a snapshot that was not committed. */
const ALSO_MENDS: Partial<Record<RepairName, readonly string[]>> = { drop_orphan: ['head_orphan', 'unreachable'] };

/** What these repairs would be about. */
export function foreseeRepairs(findings: readonly Finding[], names: readonly RepairName[]): Repair[] {
  return findings.flatMap(({ category, repair, description }) =>
    names
      .filter((name) => name === repair || ALSO_MENDS[name]?.includes(category) === true)
      .map((name) => ({ repair: name, description })),
  );
}
