import { CodedError } from '@jvs/platform/errors';
import type { OnProgress } from '../progress.ts';
import type { Repository } from '../repository.ts';
import { verifyAll } from '../verify/verify-all.ts';
import { checkGc } from './check-gc.ts';
import { checkIndex } from './check-index.ts';
import { checkLayout } from './check-layout.ts';
import { checkLogs } from './check-logs.ts';
import { checkManifests } from './check-manifests.ts';
import { checkPublications } from './check-publications.ts';
import { checkTmp, keptTrees, type KeptTree } from './check-tmp.ts';
import { checkWorktrees } from './check-worktrees.ts';
import { explainVerification } from './explain-verification.ts';
import { isHealthy, RUNTIME_REPAIRS, type Finding, type Repair, type RepairName } from './finding.ts';
import { foreseeRepairs, makeRepairs } from './make-repairs.ts';

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
  const { signal, onProgress } = options;
  const wanted: RepairName[] = options.repairRuntime === true ? [...RUNTIME_REPAIRS] : [];
  if (options.repair !== undefined && !wanted.includes(options.repair)) wanted.push(options.repair);
  if (wanted.length > 0) onProgress?.({ type: 'phase', phase: 'repairing' });
  const made = options.dryRun === true ? [] : await makeRepairs(r, wanted, { signal });
  onProgress?.({ type: 'phase', phase: 'examining' });
  const findings: Finding[] = [];
  for (const check of CHECKS) {
    signal?.throwIfAborted();
    findings.push(...(await examine(() => check(r), signal)));
  }
  if (options.strict === true) {
    const verify = async (): Promise<Finding[]> => explainVerification(await verifyAll(r, { signal, onProgress }));
    findings.push(...(await examine(verify, signal)));
  }
  const distinct = dedupe(findings);
  const repairs = options.dryRun === true ? foreseeRepairs(distinct, wanted) : made;
  return { healthy: isHealthy(distinct), findings: distinct, repairs, kept: await keptTrees(r) };
}

const CHECKS = [
  checkLayout,
  checkWorktrees,
  checkPublications,
  checkManifests,
  checkIndex,
  checkLogs,
  checkTmp,
  checkGc,
];

/** A check that meets damage it cannot see past tells of that damage, and the other checks go on. */
async function examine(check: () => Promise<Finding[]>, signal: AbortSignal | undefined): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    signal?.throwIfAborted();
    const damage = damageBehind(error);
    if (damage === undefined) throw error;
    const { code, message, path } = damage;
    const description = `${message}. What lies behind it could not be examined.`;
    return [{ category: 'damage', code, severity: 'error', path, description, repair: null }];
  }
}

/** A coded failure, or one of the operating system; undefined for a bug of ours. */
function damageBehind(error: unknown): { code: `E_${string}`; message: string; path: string | null } | undefined {
  if (error instanceof CodedError) {
    const path = error.details['path'];
    return { code: error.code, message: error.message, path: typeof path === 'string' ? path : null };
  }
  if (!(error instanceof Error) || !('code' in error) || !/^E[A-Z0-9]+$/.test(String(error.code))) return undefined;
  const path = 'path' in error && typeof error.path === 'string' ? error.path : null;
  return { code: 'E_IO', message: error.message, path };
}

function dedupe(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ category, path, description }) => {
    const key = JSON.stringify([category, path, description]);
    return seen.has(key) ? false : seen.add(key);
  });
}
