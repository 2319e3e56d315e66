import { CodedError, hasCode } from '@jvs/platform/errors';
import { withTreePool } from '@jvs/platform/tree';
import { readState } from '@jvs/lock-lease';
import { lineage } from '../history/lineage.ts';
import { listDirectory } from '../list-directory.ts';
import { readRef } from '../refs/read-ref.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { publishedIds, requireVisible } from '../snapshot/visible.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { openWorktrees } from '../worktree/worktree.ts';
import { verifyAudit, type AuditVerification } from './verify-audit.ts';
import { verifyWith, type SnapshotVerification, type VerifyOptions } from './verify-snapshot.ts';

/** Something wrong that is no snapshot's own: a lineage, a head, a ref, a chain. */
export interface ChainProblem {
  code: `E_${string}`;
  subject: string;
  why: string;
}

export interface RepositoryVerification {
  checksum_valid: boolean;
  payload_hash_valid: boolean | null;
  tamper_detected: boolean;
  severity: 'info' | 'error' | 'critical';
  snapshots: SnapshotVerification[];
  refs: { name: string; snapshot_id: string; valid: boolean }[];
  chains: { audit: AuditVerification; problems: ChainProblem[] };
}

/** Verifies every visible snapshot, and that heads, lineages, refs and the chains of all logs agree with them. */
export async function verifyAll(r: Repository, options: VerifyOptions = {}): Promise<RepositoryVerification> {
  const snapshots: SnapshotVerification[] = [];
  await withTreePool(async (pool) => {
    const ids = await publishedIds(r);
    options.onProgress?.({ type: 'phase', phase: 'verifying' });
    options.onProgress?.({ type: 'planned', ...(await plannedWork(r, ids)) });
    for (const id of ids) snapshots.push(await verifyOne(id, () => verifyWith(pool, r, id, options)));
  });
  const refs = await verifyRefs(r);
  const problems = await verifyLineages(r);
  const audit = await verifyAudit(r);
  const isSound =
    snapshots.every(({ tamper_detected }) => !tamper_detected) &&
    refs.every(({ valid }) => valid) &&
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
    chains: { audit, problems },
  };
}

/** False if any is, else null if any is, else true. */
function combine(results: readonly (boolean | null)[]): boolean | null {
  if (results.includes(false)) return false;
  return results.includes(null) ? null : true;
}

async function plannedWork(r: Repository, ids: readonly string[]): Promise<{ files: number; bytes: number }> {
  const planned = { files: 0, bytes: 0 };
  for (const id of ids) {
    const descriptor = await findDescriptor(r, id).catch(() => undefined);
    planned.files += descriptor?.payload_stats.files ?? 0;
    planned.bytes += descriptor?.payload_stats.bytes ?? 0;
  }
  return planned;
}

/** A snapshot that was published and is not whole any more is a finding, not the end of the verification. */
async function verifyOne(id: string, verify: () => Promise<SnapshotVerification>): Promise<SnapshotVerification> {
  try {
    return await verify();
  } catch (error) {
    if (!(error instanceof CodedError) || !hasCode(error, 'E_PARTIAL_SNAPSHOT', 'E_NOT_FOUND')) throw error;
    return {
      snapshot_id: id,
      checksum_valid: false,
      payload_hash_valid: null,
      tamper_detected: true,
      severity: 'critical',
      code: 'E_PARTIAL_SNAPSHOT',
      why: error.message,
      paths: [],
    };
  }
}

async function verifyRefs(r: Repository): Promise<RepositoryVerification['refs']> {
  const refs: RepositoryVerification['refs'] = [];
  for (const name of await listDirectory(r.layout.refs)) {
    const id = await readRef(r, name);
    if (id !== undefined) refs.push({ name, snapshot_id: id, valid: await isVisible(r, id) });
  }
  return refs;
}

async function isVisible(r: Repository, id: string): Promise<boolean> {
  try {
    await requireVisible(r, id);
    return true;
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  }
}

/** Every head is visible, and its ancestors lead back to a first one. */
async function verifyLineages(r: Repository): Promise<ChainProblem[]> {
  const problems: ChainProblem[] = [];
  const examine = async (subject: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      problems.push({ code: error.code, subject, why: error.message });
    }
  };
  for (const w of await openWorktrees(r)) {
    await examine(w.name, async () => {
      const head = (await readState(lockSite(w))).head_snapshot_id;
      if (head === null) return;
      await requireVisible(r, head);
      for await (const _ of lineage(r, head));
    });
  }
  return problems;
}
