import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { prettyJson } from '@jvs/platform/canonical-json';
import { timestamp } from '@jvs/platform/clock';
import { sha256 } from '@jvs/platform/digest';
import { isThere, removeTree, syncDirectory, syncTree, writeNew } from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { parseStateRecord, type StateRecord } from '@jvs/lock-lease';
import { appendAudit, isAudited } from '../audit/audit-log.ts';
import { eventOfState } from '../audit/event-of-state.ts';
import { parseResetReason, resetReason } from '../audit/reset-reason.ts';
import type { Repository } from '../repository.ts';
import { removeStatCache } from '../snapshot/stat-cache.ts';
import { makeOpDirectory } from '../worktree/op-directory.ts';
import { stateLog, stateLogIds } from '../worktree/state-log.ts';
import { readWorktreeConfig } from '../worktree/worktree-config.ts';
import { worktreeNames, worktreeOf, type Worktree } from '../worktree/worktree.ts';
import type { Repair } from './finding.ts';
import { newestProvenHead, vouchedConfigs } from './proven-head.ts';

/**
 * `reset_state`: gives each worktree whose state log cannot be read a new identity and log, which begins with the newest
 * head that can be proved. Whoever held the lock holds it no longer, and whoever was frozen has no log to append to. The
 * configuration is replaced by one rename, and what a crash leaves is finished by repairing again.
 */
export async function resetStates(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  const vouched = await vouchedConfigs(r);
  for (const name of await worktreeNames(r)) {
    const config = await readWorktreeConfig(r, name).catch((error: unknown) => {
      // Which log was its own cannot be told from a damaged configuration.
      if (error instanceof CodedError || hasCode(error, 'ENOTDIR')) return undefined;
      throw error;
    });
    if (config === undefined) continue;
    const w = worktreeOf(r, name, config);
    const oldConfig = sha256(await readFile(r.layout.worktreeConfig(name)));
    if (await isUnreadable(w, vouched.has(oldConfig))) repairs.push(await resetState(w, oldConfig));
  }
  await putOldLogsAside(r);
  return repairs;
}

/** A log without records is broken only if the worktree is known to have had some; else it is just being created. */
async function isUnreadable(w: Worktree, isVouchedFor: boolean): Promise<boolean> {
  const log = stateLog(w.repository, w.id);
  try {
    let count = 0;
    for await (const line of log.records()) count = parseStateRecord(line).seq;
    const { beyondGap } = await log.garbage();
    return beyondGap.length > 0 || (count === 0 && isVouchedFor);
  } catch (error) {
    if (error instanceof CodedError) return true;
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return isVouchedFor;
    throw error;
  }
}

async function resetState(w: Worktree, oldConfig: string): Promise<Repair> {
  const { repository: r, name, id: oldId, config } = w;
  const begun = await findBegunReset(r, oldId);
  const worktreeId = begun?.worktree_id ?? randomUUID();
  const op = await makeOpDirectory(r, randomUUID());
  const prepared = join(op, 'config.json');
  await writeNew(prepared, prettyJson({ ...config, worktree_id: worktreeId }), true);
  await syncTree(op);
  failpoint('reset-state:opdir');
  const record = begun ?? (await beginLog(w, worktreeId, oldConfig));
  failpoint('reset-state:record');
  await rename(prepared, r.layout.worktreeConfig(name));
  await syncDirectory(r.layout.worktreeMeta(name));
  failpoint('reset-state:config');
  await putOldLogsAside(r);
  failpoint('reset-state:archive');
  if (!(await isAudited(r, record.event_id, Date.parse(record.at))))
    await appendAudit(r, await eventOfState(r, record));
  failpoint('reset-state:audit');
  await removeTree(op, r.layout.tmp);
  const head = record.head_snapshot_id ?? 'no snapshot';
  return {
    repair: 'reset_state',
    description: `Began a new state log for worktree "${name}" at ${head}; it is worktree ${worktreeId} now, and was ${oldId}.`,
  };
}

/** An earlier repair got as far as the first record of the new log. */
async function findBegunReset(r: Repository, oldId: string): Promise<StateRecord | undefined> {
  for (const record of await firstRecords(r)) {
    if (parseResetReason(record.reason)?.oldWorktreeId === oldId) return record;
  }
  return undefined;
}

async function beginLog(w: Worktree, worktreeId: string, oldConfig: string): Promise<StateRecord> {
  const { repository: r, name, id: oldId } = w;
  const head = await newestProvenHead(w);
  await mkdir(r.layout.state(worktreeId));
  await syncDirectory(r.layout.states);
  const record = await stateLog(r, worktreeId).append(() => ({
    actor: r.caller.actor,
    at: timestamp(r.clock.now()),
    event_id: randomUUID(),
    head_snapshot_id: head,
    kind: 'create',
    lock: null,
    pending: null,
    reason: resetReason({ oldWorktreeId: oldId, oldConfigSha256: oldConfig }),
    worktree: name,
    worktree_id: worktreeId,
  }));
  return parseStateRecord(record);
}

/** Logs that another one has replaced would be reported for ever: they are kept where nobody reads them. */
async function putOldLogsAside(r: Repository): Promise<void> {
  const inUse = new Set<string>();
  for (const name of await worktreeNames(r)) {
    const config = await readWorktreeConfig(r, name).catch(() => undefined);
    if (config !== undefined) inUse.add(config.worktree_id);
  }
  for (const record of await firstRecords(r)) {
    const old = parseResetReason(record.reason)?.oldWorktreeId;
    if (old === undefined || inUse.has(old)) continue;
    await removeStatCache(r, old);
    if (!(await isThere(r.layout.state(old)))) continue;
    const archive = join(r.layout.control, `state.broken-${timestamp(r.clock.now()).replace(/[:.]/g, '')}`);
    await mkdir(archive, { recursive: true });
    await rename(r.layout.state(old), join(archive, basename(r.layout.state(old))));
    await syncDirectory(archive);
    await syncDirectory(r.layout.states);
    await syncDirectory(r.layout.control);
  }
}

async function firstRecords(r: Repository): Promise<StateRecord[]> {
  const records: StateRecord[] = [];
  for (const id of await stateLogIds(r)) {
    try {
      const record = await stateLog(r, id).read(1);
      if (record !== undefined) records.push(parseStateRecord(record));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
    }
  }
  return records;
}
