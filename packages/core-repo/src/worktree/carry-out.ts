import { removeTree } from '@jvs/platform/durable-fs';
import { appendState, parseStateRecord, type PendingOperation, type StateRecord } from '@jvs/lock-lease';
import { isAudited } from '../audit/audit-log.ts';
import { backfillAudit } from '../audit/event-of-state.ts';
import { endOf, WorktreePendingError } from './end-operation.ts';
import { finishOperation, type AuthorsWord } from './finish-operation.ts';
import { lockSite } from './lock-site.ts';
import { contentsOf, findOpDirectory, SupersededError } from './op-directory.ts';
import { settleWorktree } from './settle.ts';
import { stateLog } from './state-log.ts';
import type { WorktreeIdentity } from './worktree.ts';

/** What `begin` changes in the state beside the pending operation. */
interface Beginning {
  pending: PendingOperation;
  reason?: string;
  lock?: null;
}

/**
 * Begins an operation whose directory `op` is complete, at exactly the record after `previous`. Where another record came
 * first, the directory is removed again.
 */
export async function beginOperation(
  w: WorktreeIdentity,
  previous: StateRecord,
  op: string,
  beginning: Beginning,
): Promise<StateRecord | 'lost'> {
  const { repository: r } = w;
  const site = lockSite(w);
  const begun = await appendState(site, previous, { kind: 'begin', actor: r.caller.actor, ...beginning }).catch(
    async (error: unknown) => {
      // Only the log knows whether it was appended before that.
      const next = await site.log.read(previous.seq + 1);
      if (next === undefined) await removeTree(op, r.layout.tmp).catch(() => {});
      throw error;
    },
  );
  if (begun === 'lost') await removeTree(op, r.layout.tmp);
  return begun;
}

/** An operation that its author has begun. */
interface BegunOperation {
  begun: StateRecord;
  /** Its directory, under its first name. */
  op: string;
  isRefused?: boolean;
  /** The move that makes it more than an intention. */
  firstMove?: () => Promise<void>;
  word?: AuthorsWord;
}

/** How an operation ended, and where its directory is, if it is still there. */
export interface Outcome {
  ended: StateRecord;
  op: string | undefined;
}

/**
 * Makes the moves of an operation and ends it, as its author. Where another process has claimed it meanwhile, that one
 * has ended it or is about to, and what the log then says is the outcome.
 * @throws WorktreePendingError when another has claimed it, has not ended it, and we may not
 */
export async function carryOut(w: WorktreeIdentity, operation: BegunOperation): Promise<Outcome> {
  const { begun, op, isRefused = false, firstMove, word } = operation;
  const { pending } = begun;
  if (pending === null) throw new Error('Nothing has begun');
  try {
    await firstMove?.();
    const inside = await contentsOf(op);
    const ended = await finishOperation({ w, record: begun, pending, op, inside, isRefused }, word);
    if (ended !== undefined) return { ended, op };
  } catch (error) {
    if (!(error instanceof SupersededError)) throw error;
  }
  await settleWorktree(w);
  const ended = await endOf(w, begun);
  if (ended === undefined) throw new WorktreePendingError(begun.worktree, pending.op);
  await awaitAudit(w, ended);
  return { ended, op: await directoryOf(w, ended) };
}

const AUDIT_LOOKS = 20;
const AUDIT_LOOK_MS = 50;

/** Success is told after it is on record; whoever ended the operation is about to record it, unless he died. */
async function awaitAudit({ repository: r }: WorktreeIdentity, ended: StateRecord): Promise<void> {
  for (let look = 0; look < AUDIT_LOOKS; look += 1) {
    if (await isAudited(r, ended.event_id, Date.parse(ended.at))) return;
    await r.clock.sleep(AUDIT_LOOK_MS);
  }
  await backfillAudit(r, ended);
}

/** Whoever had to begin the operation anew gave it another id. */
async function directoryOf(w: WorktreeIdentity, ended: StateRecord): Promise<string | undefined> {
  const before = await stateLog(w.repository, w.id).read(ended.seq - 1);
  const opId = before === undefined ? undefined : parseStateRecord(before).pending?.op_id;
  return opId === undefined ? undefined : await findOpDirectory(w.repository, opId);
}
