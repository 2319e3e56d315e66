import { CodedError, hasCode } from '@jvs/platform/errors';
import { parseStateRecord } from '@jvs/lock-lease';
import { parseAuditRecord, type AuditRecord } from '../audit/audit-record.ts';
import { salvageRecords } from '../audit/salvage.ts';
import type { Repository } from '../repository.ts';
import { requireVisible } from '../snapshot/visible.ts';
import type { Worktree } from '../worktree/worktree.ts';

interface ProvenHead {
  id: string | null;
  atMs: number;
}

/**
 * The newest head of a worktree with a broken state log that a readable state record or an audit record proves, and that
 * is a visible snapshot; null when there never was any.
 */
export async function newestProvenHead(w: Worktree): Promise<string | null> {
  const { repository: r } = w;
  const states = await provenByStates(w);
  const names = new Set([w.name, ...states.names]);
  const heads = [...states.heads, ...(await provenByAudit(r, names))].sort((a, b) => b.atMs - a.atMs);
  for (const { id } of heads) {
    if (id === null || (await isVisible(r, id))) return id;
  }
  return null;
}

/** SHA-256 of every configuration that an audit record vouches for. */
export async function vouchedConfigs(r: Repository): Promise<Set<string>> {
  const digests = new Set<string>();
  for (const { details } of await salvageAudit(r)) {
    const { object_sha256: digest } = details;
    if (typeof digest === 'string') digests.add(digest);
  }
  return digests;
}

async function provenByStates(w: Worktree): Promise<{ heads: ProvenHead[]; names: string[] }> {
  const heads: ProvenHead[] = [];
  const names: string[] = [];
  for (const line of await salvageRecords(w.repository.layout.state(w.id))) {
    try {
      const record = parseStateRecord(line);
      heads.push({ id: record.head_snapshot_id, atMs: Date.parse(record.at) });
      names.push(record.worktree);
    } catch (error) {
      if (!hasCode(error, 'E_AUDIT_CHAIN_BROKEN')) throw error;
    }
  }
  return { heads, names };
}

/** Snapshots that were committed under one of the names, and ones that it was restored to. */
async function provenByAudit(r: Repository, names: ReadonlySet<string>): Promise<ProvenHead[]> {
  const heads: ProvenHead[] = [];
  let restored: string | null = null;
  for (const { operation, target, snapshot_id: id, details, timestamp } of await salvageAudit(r)) {
    const atMs = Date.parse(timestamp);
    const isCommit = operation === 'snapshot' || (operation === 'repair' && 'descriptor_checksum' in details);
    if (isCommit && id !== null && typeof details['worktree'] === 'string' && names.has(details['worktree']))
      heads.push({ id, atMs });
    const isRestore = operation === 'restore' || operation === 'worktree_create';
    if (!isRestore || !names.has(target ?? '')) continue;
    if (details['phase'] === 'begin') restored = id;
    else if (details['outcome'] === 'done' && restored !== null) heads.push({ id: restored, atMs });
  }
  return heads;
}

async function salvageAudit(r: Repository): Promise<AuditRecord[]> {
  return (await salvageRecords(r.layout.audit)).flatMap((record) => {
    try {
      return [parseAuditRecord(record)];
    } catch (error) {
      if (!hasCode(error, 'E_AUDIT_CHAIN_BROKEN')) throw error;
      return [];
    }
  });
}

async function isVisible(r: Repository, id: string): Promise<boolean> {
  try {
    await requireVisible(r, id);
    return true;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return false;
  }
}
