import { CodedError, hasCode } from '@jvs/platform/errors';
import { isThere } from '@jvs/platform/durable-fs';
import { withTreePool } from '@jvs/platform/tree';
import { findCondemnedPlan } from '../audit/audit-log.ts';
import { committedHeads } from '../doctor/committed-heads.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { publishedIds } from '../snapshot/visible.ts';
import { verifyAudit, type AuditVerification } from './verify-audit.ts';
import { verifyLineages, type LineageProblem } from './verify-lineages.ts';
import { verifyPins, verifyRefs, type NameVerification } from './verify-names.ts';
import { isSample, verifyWith, type SnapshotVerification, type VerifyOptions } from './verify-snapshot.ts';

export interface RepositoryVerification {
  checksum_valid: boolean;
  payload_hash_valid: boolean | null;
  tamper_detected: boolean;
  severity: 'info' | 'error' | 'critical';
  snapshots: SnapshotVerification[];
  refs: NameVerification[];
  pins: NameVerification[];
  chains: { audit: AuditVerification; problems: LineageProblem[] };
}

/**
 * Verifies every visible snapshot, and that heads, lineages, refs, pins and the chains of all logs agree with them. What
 * is damaged becomes part of the result and hides nothing else.
 */
export async function verifyAll(r: Repository, options: VerifyOptions = {}): Promise<RepositoryVerification> {
  const snapshots = await verifySnapshots(r, options);
  options.onProgress?.({ type: 'phase', phase: 'checking the logs' });
  const refs = await verifyRefs(r);
  const pins = await verifyPins(r);
  const problems = await verifyLineages(r);
  options.signal?.throwIfAborted();
  const audit = await verifyAudit(r);
  const isSound =
    snapshots.every(({ tamper_detected }) => !tamper_detected) &&
    [...refs, ...pins].every(({ valid }) => valid) &&
    problems.length === 0 &&
    audit.valid;
  const isWhole = snapshots.every(({ code }) => code === null);
  return {
    checksum_valid: snapshots.every(({ checksum_valid }) => checksum_valid),
    payload_hash_valid: combine(snapshots.map(({ payload_hash_valid }) => payload_hash_valid)),
    tamper_detected: !isSound,
    severity: isSound ? (isWhole ? 'info' : 'error') : 'critical',
    snapshots,
    refs,
    pins,
    chains: { audit, problems },
  };
}

/** False if any is, else null if any is, else true. */
function combine(results: readonly (boolean | null)[]): boolean | null {
  if (results.includes(false)) return false;
  return results.includes(null) ? null : true;
}

async function verifySnapshots(r: Repository, options: VerifyOptions): Promise<SnapshotVerification[]> {
  const verified: SnapshotVerification[] = [];
  const ids = await publishedIds(r);
  options.onProgress?.({ type: 'phase', phase: 'verifying' });
  options.onProgress?.({ type: 'planned', ...(await plannedWork(r, ids, options)) });
  const isLoss = await lossJudge(r);
  await withTreePool(async (pool) => {
    for (const id of ids) {
      const result = await verifyOne(id, () => verifyWith(pool, r, id, options), options.signal);
      const isRemainder =
        result.code === 'E_PARTIAL_SNAPSHOT' && !isLoss(id) && !(await isThere(r.layout.snapshot(id)));
      if (!isRemainder) verified.push(result);
    }
  });
  return verified;
}

/**
 * Tells of a descriptor without a tree whether the tree was lost, or whether it is what a publication left or what
 * garbage collection is just deleting; doctor tells of those. A tree gets its name with its marker inside, so that one
 * without is never a remainder.
 */
async function lossJudge(r: Repository): Promise<(id: string) => boolean> {
  try {
    const committed = await committedHeads(r);
    const condemned = await findCondemnedPlan(r);
    return (id) => committed.has(id) && !(condemned?.isReadable === true && condemned.covers(id));
  } catch (error) {
    if (!(error instanceof CodedError) && !hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    return () => true;
  }
}

async function plannedWork(
  r: Repository,
  ids: readonly string[],
  options: VerifyOptions,
): Promise<{ files: number; bytes: number }> {
  const planned = { files: 0, bytes: 0 };
  if (options.payload === false) return planned;
  const share = isSample(options) ? options.sample : 1;
  for (const id of ids) {
    const stats = (await findDescriptor(r, id).catch(() => undefined))?.payload_stats;
    planned.files += Math.round((stats?.files ?? 0) * share);
    planned.bytes += Math.round((stats?.bytes ?? 0) * share);
  }
  return planned;
}

/** A snapshot that was published and cannot be read any more is a finding, not the end of the verification. */
async function verifyOne(
  id: string,
  verify: () => Promise<SnapshotVerification>,
  signal: AbortSignal | undefined,
): Promise<SnapshotVerification> {
  try {
    return await verify();
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof Error)) throw error;
    const isNotWhole = hasCode(error, 'E_PARTIAL_SNAPSHOT', 'E_NOT_FOUND');
    const isErrno = 'code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code);
    if (!isNotWhole && !isErrno && !(error instanceof CodedError)) throw error;
    return {
      snapshot_id: id,
      checksum_valid: false,
      payload_hash_valid: null,
      tamper_detected: true,
      severity: 'critical',
      code: isNotWhole ? 'E_PARTIAL_SNAPSHOT' : error instanceof CodedError ? error.code : 'E_IO',
      why: error.message,
      paths: [],
    };
  }
}
