import { randomUUID } from 'node:crypto';
import { CodedError } from '@jvs/platform/errors';
import { appendAudit } from '../audit/audit-log.ts';
import type { OnProgress } from '../progress.ts';
import type { Repository } from '../repository.ts';
import { refillReserve, withReserve } from '../reserve.ts';
import { verifyAll } from '../verify/verify-all.ts';
import { checkLayout } from './check-layout.ts';
import { checkLogs } from './check-logs.ts';
import { checkManifests, rebuildManifests } from './check-manifests.ts';
import { checkPublications, cleanIntents } from './check-publications.ts';
import { checkTmp, cleanTmp, keptTrees, type KeptTree } from './check-tmp.ts';
import { backfill, checkWorktrees, cleanLocks, settlePending } from './check-worktrees.ts';
import { explainVerification } from './explain-verification.ts';
import { EXPLICIT_REPAIRS, isHealthy, RUNTIME_REPAIRS, type Finding, type Repair, type RepairName } from './finding.ts';
import { advanceHead, dropOrphans } from './uncommitted.ts';

export interface DoctorOptions {
  /** Also everything that `verify --all` does. */
  strict?: boolean | undefined;
  /** First repair what crashes left, in the order of {@link RUNTIME_REPAIRS}. */
  repairRuntime?: boolean | undefined;
  /** First make this one repair. */
  repair?: RepairName | undefined;
  /** Only tell what the repairs would be about. */
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

export interface Diagnosis {
  /** No finding is an error. */
  healthy: boolean;
  findings: Finding[];
  repairs: Repair[];
  kept: KeptTree[];
}

/** Examines the repository, after repairing it if told to. Findings are those that remain. */
export async function doctor(r: Repository, options: DoctorOptions = {}): Promise<Diagnosis> {
  const wanted: RepairName[] = options.repairRuntime === true ? [...RUNTIME_REPAIRS] : [];
  if (options.repair !== undefined && !wanted.includes(options.repair)) wanted.push(options.repair);
  const made = options.dryRun === true ? [] : await makeRepairs(r, wanted);
  const findings: Finding[] = [];
  for (const check of CHECKS) findings.push(...(await examine(() => check(r))));
  if (options.strict === true) {
    const { signal, onProgress } = options;
    findings.push(...(await examine(async () => explainVerification(await verifyAll(r, { signal, onProgress })))));
  }
  const distinct = dedupe(findings);
  const repairs = options.dryRun === true ? distinct.flatMap((finding) => foreseen(finding, wanted)) : made;
  return { healthy: isHealthy(distinct), findings: distinct, repairs, kept: await keptTrees(r) };
}

const CHECKS = [checkLayout, checkWorktrees, checkPublications, checkManifests, checkLogs, checkTmp];

/** A check that meets damage it cannot see past tells of that damage. */
async function examine(check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code, message, details } = error;
    const path = typeof details['path'] === 'string' ? details['path'] : null;
    return [{ category: 'damage', code, severity: 'error', path, description: `${message}.`, repair: null }];
  }
}

function foreseen({ repair, description }: Finding, wanted: readonly RepairName[]): Repair[] {
  return repair !== null && wanted.includes(repair) ? [{ repair, description }] : [];
}

const REPAIRS: Record<RepairName, (r: Repository) => Promise<Repair[]>> = {
  clean_locks: cleanLocks,
  settle: settlePending,
  clean_intents: cleanIntents,
  clean_tmp: cleanTmp,
  rebuild_manifest: rebuildManifests,
  audit_backfill: backfill,
  reserve: async (r) => {
    const before = await checkLayout(r);
    const isMissing = before.some(({ category }) => category === 'reserve_missing');
    return isMissing && (await refillReserve(r.layout))
      ? [{ repair: 'reserve', description: 'Wrote the reserve.' }]
      : [];
  },
  advance_head: advanceHead,
  drop_orphan: dropOrphans,
};

/** A runtime repair that meets damage leaves it to the findings, and the others go on; an explicit one says why it fails. */
async function makeRepairs(r: Repository, names: readonly RepairName[]): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const name of names) {
    const isExplicit = EXPLICIT_REPAIRS.some((explicit) => explicit === name);
    try {
      // Runtime repairs may be begun again from the start; those that decide something may not.
      const made = isExplicit ? await REPAIRS[name](r) : await withReserve(r.layout, () => REPAIRS[name](r));
      repairs.push(...made);
      if (made.length > 0) await recordRepairs(r, name, made);
    } catch (error) {
      if (isExplicit || !(error instanceof CodedError)) throw error;
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

function dedupe(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ category, path, description }) => {
    const key = JSON.stringify([category, path, description]);
    return seen.has(key) ? false : seen.add(key);
  });
}
