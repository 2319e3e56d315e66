import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { sha256 } from '@jvs/platform/digest';
import { hasCode } from '@jvs/platform/errors';
import type { ExclusiveLog } from '@jvs/platform/exclusive-log';
import { parseStateRecord, type StateRecord } from '@jvs/lock-lease';
import { auditEvents, auditLog } from '../audit/audit-log.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { publishedIds } from '../snapshot/visible.ts';
import { stateLog } from '../worktree/state-log.ts';
import { openWorktrees } from '../worktree/worktree.ts';

export interface AuditVerification {
  valid: boolean;
  /** Records that could be read. */
  count: number;
  /** `record_hash` of the newest. */
  head: string | null;
  /** What is wrong, a sentence each. */
  problems: string[];
  /** Worktrees whose newest state record has no audit record yet, as after a crash. */
  audit_missing: string[];
}

interface Seen {
  hashes: Set<string>;
  events: Set<string>;
  /** SHA-256 of each worktree configuration that a record vouches for, with the worktree's name, unless it is gone again. */
  configs: Map<string, string>;
}

/**
 * Checks the audit chain and everything it vouches for: numbers and hashes, the anchors of descriptors, the objects
 * that were created, and that each state record but a newest has its event.
 */
export async function verifyAudit(r: Repository): Promise<AuditVerification> {
  const result: AuditVerification = { valid: false, count: 0, head: null, problems: [], audit_missing: [] };
  const seen: Seen = { hashes: await archivedHashes(r), events: new Set(), configs: new Map() };
  await walkChain(r, result, seen);
  await checkStates(r, result, seen);
  await checkAnchors(r, result, seen);
  await checkConfigs(r, result, seen);
  return { ...result, valid: result.problems.length === 0 };
}

async function walkChain(r: Repository, result: AuditVerification, seen: Seen): Promise<void> {
  try {
    for await (const record of auditEvents(r)) {
      result.count = record.seq;
      result.head = record.record_hash;
      seen.hashes.add(record.record_hash);
      seen.events.add(record.event_id);
      const { object_sha256: digest, outcome, repo_id: repoId } = record.details;
      const createsWorktree = ['repo_init', 'worktree_create', 'restore'].includes(record.operation);
      if (createsWorktree && typeof digest === 'string') seen.configs.set(digest, record.target ?? '');
      const isGone =
        record.operation === 'worktree_remove' ? outcome === 'done' : outcome === 'undone' && createsWorktree;
      if (isGone) forgetName(seen, record.target);
      if (record.seq === 1 && repoId !== r.id) result.problems.push('record 1 is about another repository');
    }
  } catch (error) {
    if (!hasCode(error, 'E_AUDIT_CHAIN_BROKEN') || !(error instanceof Error)) throw error;
    result.problems.push(error.message);
  }
  if (result.count === 0) result.problems.push('the audit log is empty');
  await checkGaps(auditLog(r), 'audit', result);
}

function forgetName({ configs }: Seen, name: string | null): void {
  for (const [digest, other] of configs) if (other === name) configs.delete(digest);
}

/** Records beyond a gap show that the ones between were removed. */
async function checkGaps(log: ExclusiveLog, name: string, result: AuditVerification): Promise<void> {
  const { beyondGap } = await log.garbage();
  if (beyondGap.length > 0) result.problems.push(`records ${beyondGap.join(', ')} of the ${name} log lie beyond a gap`);
}

async function checkStates(r: Repository, result: AuditVerification, { events }: Seen): Promise<void> {
  for (const worktreeId of await listDirectory(r.layout.states)) {
    try {
      let newest: StateRecord | undefined;
      for await (const line of stateLog(r, worktreeId).records()) {
        if (newest !== undefined && !events.has(newest.event_id)) {
          result.problems.push(`state record ${newest.seq} of worktree "${newest.worktree}" has no audit record`);
        }
        newest = parseStateRecord(line);
      }
      if (newest !== undefined && !events.has(newest.event_id)) result.audit_missing.push(newest.worktree);
      await checkGaps(stateLog(r, worktreeId), `state (${newest?.worktree ?? worktreeId})`, result);
    } catch (error) {
      if (!hasCode(error, 'E_AUDIT_CHAIN_BROKEN') || !(error instanceof Error)) throw error;
      result.problems.push(`worktree ${worktreeId}: ${error.message}`);
    }
  }
}

async function checkAnchors(r: Repository, result: AuditVerification, { hashes }: Seen): Promise<void> {
  for (const id of await publishedIds(r)) {
    const descriptor = await findDescriptor(r, id).catch(() => undefined);
    if (descriptor === undefined || hashes.has(descriptor.audit_anchor)) continue;
    result.problems.push(
      `snapshot ${id} was made after audit record ${descriptor.audit_anchor.slice(0, 12)}…, which is missing`,
    );
  }
}

async function checkConfigs(r: Repository, result: AuditVerification, { configs, events }: Seen): Promise<void> {
  const unmet = new Map(configs);
  for (const w of await openWorktrees(r)) {
    const digest = sha256(await readFile(r.layout.worktreeConfig(w.name)));
    const isVouchedFor = unmet.delete(digest);
    if (!isVouchedFor && !(await isBeingCreated(r, w.id, events))) {
      result.problems.push(`the configuration of worktree "${w.name}" is not the one that was recorded`);
    }
  }
  for (const name of unmet.values())
    result.problems.push(`worktree "${name}" is missing, and no record says that it was removed`);
}

async function isBeingCreated(r: Repository, worktreeId: string, events: ReadonlySet<string>): Promise<boolean> {
  const first = await stateLog(r, worktreeId)
    .read(1)
    .catch(() => undefined);
  return first === undefined || !events.has(parseStateRecord(first).event_id);
}

const Archived = z.looseObject({ record_hash: z.string() });

/** Chains of other replicas, and ones that were repaired, still count as anchors. */
async function archivedHashes(r: Repository): Promise<Set<string>> {
  const hashes = new Set<string>();
  const broken = (await listDirectory(r.layout.control)).filter((name) => name.startsWith('audit.broken-'));
  const peers = await listDirectory(join(r.layout.audit, 'peers'));
  const directories = [
    ...broken.map((name) => join(r.layout.control, name)),
    ...peers.map((name) => join(r.layout.audit, 'peers', name)),
  ];
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
