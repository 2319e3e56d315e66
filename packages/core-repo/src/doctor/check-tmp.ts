import { lstat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { deleteTree } from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { runProgram } from '@jvs/platform/run-program';
import { auditLog } from '../audit/audit-log.ts';
import { parseAuditRecord } from '../audit/audit-record.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { KEEP_MS, remainsOf, type Remains } from '../worktree/kept-tree.ts';
import { stateTips } from '../worktree/state-tips.ts';
import { stateLog, stateLogIds } from '../worktree/state-log.ts';
import type { Finding, Repair } from './finding.ts';

/** A tree that was replaced, removed or found in the way, and is kept for a while. */
export interface KeptTree {
  path: string;
  /** The room that it takes on disk. */
  bytes: number;
  /** Until when nothing deletes it; null for what stood in the way, which only its owner deletes. */
  until: string | null;
}

export async function checkTmp(r: Repository): Promise<Finding[]> {
  return (await expired(r)).map((path) => ({
    category: 'old_tmp',
    code: null,
    severity: 'info',
    path: relative(r.root, path),
    description: 'Temporary files of an operation that ended more than a day ago.',
    repair: 'clean_tmp',
  }));
}

/** `clean_tmp`: deletes what no operation needs any more, and folds old records of the logs. */
export async function cleanTmp(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const path of await expired(r)) {
    await deleteTree(path);
    repairs.push({ repair: 'clean_tmp', description: `Deleted ${relative(r.root, path)}.` });
  }
  let folded = await foldQuietly(r, auditLog(r));
  for (const worktreeId of await stateLogIds(r)) folded += await foldQuietly(r, stateLog(r, worktreeId));
  if (folded > 0) repairs.push({ repair: 'clean_tmp', description: `Packed ${folded * 256} old log records.` });
  return repairs;
}

async function foldQuietly(r: Repository, log: ReturnType<typeof auditLog>): Promise<number> {
  try {
    return await log.fold();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    r.log.debug({ error }, 'log not folded');
    return 0;
  }
}

/** Older than a day, no intruder inside, and of no pending operation. */
async function expired(r: Repository): Promise<string[]> {
  const needed = await pendingOperations(r);
  const paths: string[] = [];
  for (const name of await listDirectory(r.layout.tmp)) {
    const path = join(r.layout.tmp, name);
    const opId = /^op-([0-9a-f-]{36})/.exec(name)?.[1];
    if (opId !== undefined && (needed === undefined || needed.has(opId) || (await holdsIntruder(path)))) continue;
    const stats = await lstat(path).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (stats !== undefined && r.clock.now() - stats.mtimeMs > KEEP_MS) paths.push(path);
  }
  return paths;
}

/** Undefined when that cannot be told, or snapshots are being deleted: then every operation's directory may be needed. */
async function pendingOperations(r: Repository): Promise<Set<string> | undefined> {
  const ids = new Set<string>();
  try {
    const newest = await auditLog(r).tip();
    if (newest !== undefined && parseAuditRecord(newest).condemned_plan !== null) return undefined;
    for await (const { record } of stateTips(r)) {
      if (record.pending !== null) ids.add(record.pending.op_id);
    }
    return ids;
  } catch (error) {
    if (error instanceof CodedError || hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function holdsIntruder(path: string): Promise<boolean> {
  return (await remainsOf(path).catch(() => NOTHING)).intruders.length > 0;
}

/** Trees that operations keep, with the room they take. */
export async function keptTrees(r: Repository): Promise<KeptTree[]> {
  const trees: KeptTree[] = [];
  for (const op of (await listDirectory(r.layout.tmp)).filter((name) => name.startsWith('op-'))) {
    const { kept, intruders } = await remainsOf(join(r.layout.tmp, op)).catch(() => NOTHING);
    if (kept !== undefined) trees.push({ path: kept.path, bytes: await diskUse(kept.path), until: kept.until });
    for (const path of intruders) trees.push({ path, bytes: await diskUse(path), until: null });
  }
  return trees;
}

const NOTHING: Remains = { intruders: [] };

async function diskUse(path: string): Promise<number> {
  return Number.parseInt(await runProgram('du', ['-s', '--block-size=1', '--', path]).catch(() => '0'), 10);
}
