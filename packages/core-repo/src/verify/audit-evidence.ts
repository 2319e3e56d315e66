import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { hasCode } from '@jvs/platform/errors';
import { archivedChains } from '../audit/archives.ts';
import { auditEvents, auditLog } from '../audit/audit-log.ts';
import type { AuditRecord } from '../audit/audit-record.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { misspeltLogFiles } from './log-bytes.ts';

/** An object that a record vouches for: a worktree's configuration, a ref, a pin. */
export interface VouchedObject {
  /** Of the worktree or ref at that time; the id of a pin. */
  name: string;
  /** SHA-256 of its file. */
  digest: string;
}

/** What the audit chain proves. */
export interface AuditEvidence {
  /** Records that could be read. */
  count: number;
  /** `record_hash` of the newest. */
  head: string | null;
  condemnedPlan: string | null;
  repoId: string | undefined;
  problems: string[];
  /** `record_hash`es of this chain, of peers' and of archived ones. */
  hashes: Set<string>;
  events: Set<string>;
  /** By the event of their creation. Whether a worktree was removed is for its state log to tell. */
  worktrees: Map<string, VouchedObject>;
  /** By the event of their creation, without those whose deletion is recorded. */
  refs: Map<string, VouchedObject>;
  pins: Map<string, VouchedObject>;
  /** SHA-256 of the tombstones of each finished plan. */
  plans: Map<string, string>;
  /** Events, hashes and plans that a repair of the chain found lost and put on record. */
  lost: Set<string>;
}

const WORKTREE_CREATIONS = ['repo_init', 'worktree_create', 'restore'];

/** Reads the whole chain, checks it, and collects what later checks compare with. */
export async function readAuditEvidence(r: Repository): Promise<AuditEvidence> {
  const evidence = await startEvidence(r);
  try {
    for await (const record of auditEvents(r)) noteRecord(evidence, record);
  } catch (error) {
    if (!hasCode(error, 'E_AUDIT_CHAIN_BROKEN', 'ENOENT', 'ENOTDIR') || !(error instanceof Error)) throw error;
    evidence.problems.push(error.message);
  }
  await checkFiles(r, evidence);
  return evidence;
}

/** Evidence without a record: only the hashes that lie elsewhere. */
export async function startEvidence(r: Repository): Promise<AuditEvidence> {
  return {
    count: 0,
    head: null,
    condemnedPlan: null,
    repoId: undefined,
    problems: [],
    hashes: await archivedHashes(r),
    events: new Set(),
    worktrees: new Map(),
    refs: new Map(),
    pins: new Map(),
    plans: new Map(),
    lost: new Set(),
  };
}

/** Adds what the next record of the chain tells. */
export function noteRecord(evidence: AuditEvidence, record: AuditRecord): void {
  evidence.count = record.seq;
  evidence.head = record.record_hash;
  evidence.condemnedPlan = record.condemned_plan;
  evidence.hashes.add(record.record_hash);
  evidence.events.add(record.event_id);
  const { event_id: event, operation, target, details } = record;
  const { object_sha256: digest, object_event_id: objectEvent, repo_id: repoId } = details;
  const { refs, pins, worktrees, plans } = evidence;
  if (typeof repoId === 'string') evidence.repoId = repoId;
  const vouched = typeof digest === 'string' ? { name: target ?? '', digest } : undefined;
  if (vouched !== undefined && WORKTREE_CREATIONS.includes(operation)) worktrees.set(event, vouched);
  if (operation === 'ref_create' && vouched !== undefined) refs.set(event, vouched);
  if (operation === 'gc_pin' && vouched !== undefined) pins.set(event, vouched);
  if (operation === 'ref_delete') forget(refs, ({ name }, key) => key === objectEvent || name === target);
  if (operation === 'gc_unpin') forget(pins, ({ name }, key) => key === objectEvent || name === target);
  if (operation === 'gc_done' && vouched !== undefined) plans.set(vouched.name, vouched.digest);
  if (operation === 'repair') noteRepair(evidence, event, vouched, details);
}

function noteRepair(
  { worktrees, lost }: AuditEvidence,
  event: string,
  vouched: VouchedObject | undefined,
  { repair, old_object_sha256: old, lost: lostNow }: AuditRecord['details'],
): void {
  if (repair === 'reset_state') {
    forget(worktrees, ({ digest }) => digest === old);
    if (vouched !== undefined) worktrees.set(event, vouched);
  }
  if (repair === 'audit_repair') for (const id of textsIn(lostNow)) lost.add(id);
}

/** The texts of a list in a record. */
export function textsIn(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : [];
}

function forget(
  objects: Map<string, VouchedObject>,
  isMeant: (object: VouchedObject, eventId: string) => boolean,
): void {
  for (const [eventId, object] of objects) if (isMeant(object, eventId)) objects.delete(eventId);
}

async function checkFiles(r: Repository, { count, problems, repoId }: AuditEvidence): Promise<void> {
  if (count === 0) problems.push('the audit log is empty');
  else if (repoId === undefined) problems.push('no record says which repository this is');
  else if (repoId !== r.id) problems.push('the audit log is that of another repository');
  const { beyondGap } = await auditLog(r)
    .garbage()
    .catch(() => ({ beyondGap: [] }));
  if (beyondGap.length > 0) problems.push(`records ${beyondGap.join(', ')} of the audit log lie beyond a gap`);
  for (const name of await misspeltLogFiles(r.layout.audit)) {
    problems.push(`${name} of the audit log does not hold the canonical form of its records`);
  }
}

const Archived = z.looseObject({ record_hash: z.string() });

/** Chains of other replicas, and ones that were repaired, still count as anchors. */
async function archivedHashes(r: Repository): Promise<Set<string>> {
  const hashes = new Set<string>();
  const peers = join(r.layout.audit, 'peers');
  const directories = [...(await archivedChains(r)), ...(await listDirectory(peers)).map((name) => join(peers, name))];
  for (const directory of directories) {
    for (const file of (await listDirectory(directory)).filter((name) => name.endsWith('.jsonl'))) {
      for (const line of (await readFile(join(directory, file), 'utf8')).split('\n')) {
        const parsed = line === '' ? undefined : Archived.safeParse(parseJson(line)).data;
        if (parsed !== undefined) hashes.add(parsed.record_hash);
      }
    }
  }
  return hashes;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
