import { join, relative } from 'node:path';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { filesystemNowIfKnown, LOCK_DEFAULTS, lockStatus, releaseAbandoned } from '@jvs/lock-lease';
import { appendAudit, isAudited } from '../audit/audit-log.ts';
import { backfillAudit, eventOfState } from '../audit/event-of-state.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { settleWorktree } from '../worktree/settle.ts';
import { stateLog } from '../worktree/state-log.ts';
import { hasPayload, worktreeNames, worktreeOf, type Worktree } from '../worktree/worktree.ts';
import { readWorktreeConfig } from '../worktree/worktree-config.ts';
import type { Finding, Repair } from './finding.ts';

/** Configurations, payloads, pending operations, locks, and the audit record of each newest state. */
export async function checkWorktrees(r: Repository): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of await worktreeNames(r)) {
    const path = relative(r.root, r.layout.worktreeMeta(name));
    try {
      const config = await readWorktreeConfig(r, name);
      if (config === undefined) throw new MissingConfigError();
      findings.push(...(await checkWorktree(worktreeOf(r, name, config), path)));
    } catch (error) {
      findings.push(damaged(name, path, error));
    }
  }
  return [...findings, ...(await checkStrayPayloads(r)), ...(await checkClock(r))];
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
  const tip = await site.log.tip().catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
    return undefined;
  });
  if (tip === undefined) return [pending(w, path, 'its creation stopped before the first state record')];
  const { record, state } = await lockStatus(site);
  const findings: Finding[] = [];
  if (record.pending !== null) findings.push(pending(w, path, `${record.pending.op} is not finished`));
  else if (!(await hasPayload(w))) {
    findings.push({
      category: 'payload_missing',
      code: 'E_NOT_FOUND',
      severity: 'error',
      path: relative(w.repository.root, w.path),
      description: `The payload of worktree "${w.name}" is missing; restore its head to a new worktree.`,
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

function pending(w: Worktree, path: string, why: string): Finding {
  const description = `Worktree "${w.name}": ${why}.`;
  return {
    category: 'pending_operation',
    code: 'E_WORKTREE_PENDING',
    severity: 'error',
    path,
    description,
    repair: 'settle',
  };
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
      await stateLog(r, config.worktree_id).tip();
      worktrees.push(worktreeOf(r, name, config));
    } catch (error) {
      if (!(error instanceof CodedError) && !hasCode(error, 'ENOENT')) throw error;
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
export async function settlePending(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const name of await worktreeNames(r)) {
    try {
      const config = await readWorktreeConfig(r, name);
      const settled = config === undefined ? undefined : await settleWorktree(worktreeOf(r, name, config));
      if (settled === undefined) continue;
      const aside = settled.intruders.map((path) => `; moved aside: ${path}`).join('');
      const description = `${settled.operation} of worktree "${name}" ${settled.outcome}${aside}.`;
      repairs.push({ repair: 'settle', description });
    } catch (error) {
      // Somebody alive holds it, or it is damaged; the checks say so.
      if (!(error instanceof CodedError)) throw error;
    }
  }
  return repairs;
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
