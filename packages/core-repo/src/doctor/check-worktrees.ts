import { join, relative } from 'node:path';
import { CodedError } from '@jvs/platform/errors';
import {
  filesystemNowIfKnown,
  LOCK_DEFAULTS,
  lockStatus,
  releaseAbandoned,
  type PendingOperation,
  type StateRecord,
} from '@jvs/lock-lease';
import { appendAudit, isAudited } from '../audit/audit-log.ts';
import { backfillAudit, eventOfState } from '../audit/event-of-state.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { settleWorktree } from '../worktree/settle.ts';
import { findState, stateLogIds } from '../worktree/state-log.ts';
import { hasPayload, worktreeNames, worktreeOf, type Worktree, type WorktreeIdentity } from '../worktree/worktree.ts';
import { readWorktreeConfig } from '../worktree/worktree-config.ts';
import type { Finding, Repair } from './finding.ts';

/** Configurations, payloads, pending operations, locks, and the audit record of each newest state. */
export async function checkWorktrees(r: Repository): Promise<Finding[]> {
  const findings: Finding[] = [];
  const named = new Map<string, Worktree>();
  for (const name of await worktreeNames(r)) {
    const path = relative(r.root, r.layout.worktreeMeta(name));
    try {
      const config = await readWorktreeConfig(r, name);
      if (config === undefined) throw new MissingConfigError();
      const w = worktreeOf(r, name, config);
      const twin = named.get(w.id);
      named.set(w.id, w);
      findings.push(...(twin === undefined ? await checkWorktree(w, path) : await checkTwins(twin, w, path)));
    } catch (error) {
      findings.push(damaged(name, path, error));
    }
  }
  findings.push(...(await checkNameless(r, named)));
  return [...findings, ...(await checkStrayPayloads(r)), ...(await checkClock(r))];
}

/** Two names for one worktree are right while it is being renamed from one to the other. */
async function checkTwins(twin: Worktree, w: Worktree, path: string): Promise<Finding[]> {
  const { record } = await lockStatus(lockSite(w));
  if (record.pending?.op === 'rename') return [];
  const why = `has the same identity as "${twin.name}": its metadata is a copy. Remove ${path} by hand`;
  return [misnamed(w, path, why)];
}

/** Operations that have given up a name and did not end. Damage of a state that has a name is told with the name. */
async function checkNameless(r: Repository, named: ReadonlyMap<string, Worktree>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const id of await stateLogIds(r)) {
    if (named.has(id)) continue;
    const path = relative(r.root, r.layout.state(id));
    try {
      const record = await findState(r, id);
      if (record === undefined || record.pending === null) continue;
      findings.push(pending({ repository: r, name: record.worktree, id }, path, record));
    } catch (error) {
      findings.push(damaged(id, path, error));
    }
  }
  return findings;
}

function misnamed(w: Worktree, path: string, why: string): Finding {
  const description = `Worktree "${w.name}" ${why}.`;
  return {
    category: 'worktree_config',
    code: 'E_DESCRIPTOR_CORRUPT',
    severity: 'error',
    path,
    description,
    repair: null,
  };
}

class MissingConfigError extends CodedError {
  readonly code = 'E_DESCRIPTOR_CORRUPT';
  constructor() {
    super('config.json is missing');
  }
}

function damaged(name: string, path: string, error: unknown): Finding {
  if (!(error instanceof CodedError)) throw error;
  const category = error.code === 'E_AUDIT_CHAIN_BROKEN' ? 'state_log' : 'worktree_config';
  const description = `Worktree "${name}": ${error.message}.`;
  return { category, code: error.code, severity: 'error', path, description, repair: null };
}

async function checkWorktree(w: Worktree, path: string): Promise<Finding[]> {
  const site = lockSite(w);
  if ((await findState(w.repository, w.id)) === undefined) return [pending(w, path, undefined)];
  const { record, state } = await lockStatus(site);
  const findings: Finding[] = [];
  if (record.pending !== null) findings.push(pending(w, path, record));
  else if (record.worktree !== w.name) {
    findings.push(misnamed(w, path, `is called "${record.worktree}" by its state. Give ${path} that name again`));
  } else if (!(await hasPayload(w))) {
    findings.push({
      category: 'payload_missing',
      code: 'E_NOT_FOUND',
      severity: 'error',
      path: relative(w.repository.root, w.path),
      description: `The payload of worktree "${w.name}" is missing; what was in no snapshot is lost. Bring its head back: jvs restore ${w.name}:HEAD --worktree ${w.name} --inplace --lock --force --reason <why>.`,
      repair: null,
    });
  }
  if (state === 'expired' || state === 'stealable') {
    const holder = record.lock?.holder_id ?? '';
    findings.push({
      category: 'expired_lock',
      code: null,
      severity: 'info',
      path,
      description: `The lease of ${holder} on worktree "${w.name}" is over.`,
      repair: state === 'stealable' ? 'clean_locks' : null,
    });
  }
  if (!(await isAudited(w.repository, record.event_id, Date.parse(record.at)).catch(() => true))) {
    findings.push({
      category: 'audit_missing',
      code: null,
      severity: 'warning',
      path,
      description: `The newest change of worktree "${w.name}" (${record.kind}) has no audit record.`,
      repair: 'audit_backfill',
    });
  }
  return findings;
}

/** What began and did not end, what that means, and what to type. */
function pending(w: WorktreeIdentity, path: string, record: StateRecord | undefined): Finding {
  const { name } = w;
  const begun =
    record === undefined
      ? `The creation of worktree "${name}" stopped before its first record`
      : `The ${labelOf(record.pending)} worktree "${name}" is not finished; ${record.actor} was at it at ${record.at}`;
  const who =
    record === undefined || record.lock === null
      ? 'Run "jvs doctor --repair-runtime"'
      : `The next command of its holder ${record.lock.holder_id} settles it, or "jvs doctor --repair-runtime" once that one is gone`;
  const description = `${begun}. Nothing is lost, but nobody can write there until it is settled. ${who}.`;
  return {
    category: 'pending_operation',
    code: 'E_WORKTREE_PENDING',
    severity: 'error',
    path,
    description,
    repair: 'settle',
  };
}

function labelOf(operation: PendingOperation | null): string {
  switch (operation?.op) {
    case 'restore':
      return `restore of ${operation.snapshot_id} in place of`;
    case 'rename':
      return `renaming to "${operation.to}" of`;
    case 'remove':
      return 'removal of';
    case 'create':
    case 'unclaim':
    case undefined:
      return 'creation of';
  }
}

/** Directories among the payloads that belong to no worktree. */
async function checkStrayPayloads(r: Repository): Promise<Finding[]> {
  const known = new Set(await worktreeNames(r));
  const directory = join(r.root, 'worktrees');
  return (await listDirectory(directory))
    .filter((name) => !known.has(name))
    .map((name) => ({
      category: 'stray_payload',
      code: null,
      severity: 'warning',
      path: relative(r.root, join(directory, name)),
      description: 'A directory among the worktrees is none; jvs leaves it alone.',
      repair: null,
    }));
}

async function checkClock(r: Repository): Promise<Finding[]> {
  const now = await filesystemNowIfKnown({ probePath: r.layout.probe });
  const offset = now === undefined ? 0 : Math.abs(r.clock.now() - now);
  if (offset <= LOCK_DEFAULTS.maxClockSkewMs / 2) return [];
  return [
    {
      category: 'clock_offset',
      code: 'E_CLOCK_SKEW_EXCEEDED',
      severity: 'warning',
      path: null,
      description: `The filesystem's clock and this machine's are ${offset} ms apart.`,
      repair: null,
    },
  ];
}

/** Worktrees whose configuration and state can be read. */
async function soundWorktrees(r: Repository): Promise<Worktree[]> {
  const worktrees: Worktree[] = [];
  for (const name of await worktreeNames(r)) {
    try {
      const config = await readWorktreeConfig(r, name);
      if (config === undefined) continue;
      const isBorn = (await findState(r, config.worktree_id)) !== undefined;
      if (isBorn) worktrees.push(worktreeOf(r, name, config));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
    }
  }
  return worktrees;
}

/** `clean_locks`: gives back locks whose holders are gone. */
export async function cleanLocks(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const w of await soundWorktrees(r)) {
    const record = await releaseAbandoned(lockSite(w));
    if (record === undefined) continue;
    await appendAudit(r, await eventOfState(r, record));
    repairs.push({
      repair: 'clean_locks',
      description: `Released the lock of worktree "${w.name}": ${record.reason ?? ''}.`,
    });
  }
  return repairs;
}

/** `settle`: finishes or undoes pending operations of worktrees without a living holder. */
export async function settlePending(
  r: Repository,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const w of await everyWorktree(r)) {
    try {
      const settled = await settleWorktree(w, { signal });
      if (settled === undefined) continue;
      const { operation, outcome, kept, intruders } = settled;
      const aside = intruders.map((path) => `; moved aside: ${path}`).join('');
      const old = kept === undefined ? '' : `; kept until ${kept.until}: ${kept.path}`;
      repairs.push({ repair: 'settle', description: `${operation} of worktree "${w.name}" ${outcome}${old}${aside}.` });
    } catch (error) {
      // Somebody alive holds it, or it is damaged; the checks say so.
      if (!(error instanceof CodedError)) throw error;
    }
  }
  return repairs;
}

/** Each once, by the name that has its metadata; those whose operation has given the name back too. */
async function everyWorktree(r: Repository): Promise<WorktreeIdentity[]> {
  const found = new Map<string, WorktreeIdentity>();
  for (const name of await worktreeNames(r)) {
    const config = await readWorktreeConfig(r, name).catch(ignoreDamage);
    if (config !== undefined) found.set(config.worktree_id, worktreeOf(r, name, config));
  }
  for (const id of await stateLogIds(r)) {
    if (found.has(id)) continue;
    const record = await findState(r, id).catch(ignoreDamage);
    if (record !== undefined) found.set(id, { repository: r, name: record.worktree, id });
  }
  return [...found.values()];
}

function ignoreDamage(error: unknown): undefined {
  if (!(error instanceof CodedError)) throw error;
}

/** `audit_backfill`: writes the audit records that crashes left out. */
export async function backfill(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const w of await soundWorktrees(r)) {
    const { record } = await lockStatus(lockSite(w));
    if (!(await backfillAudit(r, record))) continue;
    repairs.push({ repair: 'audit_backfill', description: `Recorded the ${record.kind} of worktree "${w.name}".` });
  }
  return repairs;
}
