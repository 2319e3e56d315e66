import { randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import type { JsonObject } from '@jvs/platform/canonical-json';
import { timestamp, type Clock } from '@jvs/platform/clock';
import { LogBrokenError, type ExclusiveLog, type LogRecord } from '@jvs/platform/exclusive-log';
import { cutText } from './cut-text.ts';
import { LockState } from './lock-state.ts';

/** An operation that moves directories and is not finished; whoever may write settles it first. */
export const PendingOperation = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('create'), op_id: z.uuid(), snapshot_id: z.nullable(z.string()) }),
  z.strictObject({ op: z.literal('restore'), op_id: z.uuid(), snapshot_id: z.string(), reason: z.string() }),
  z.strictObject({ op: z.literal('rename'), op_id: z.uuid(), from: z.string(), to: z.string() }),
  z.strictObject({ op: z.literal('remove'), op_id: z.uuid(), reason: z.nullable(z.string()) }),
  z.strictObject({ op: z.literal('unclaim'), op_id: z.uuid() }),
]);
export type PendingOperation = z.infer<typeof PendingOperation>;

/** A record of a worktree's state log. Each carries the whole state: head, lock and pending operation in one atom. */
export const StateRecord = z.strictObject({
  actor: z.string().check(z.minLength(1)),
  at: z.string(),
  /** Of the audit record that tells of this change. */
  event_id: z.uuid(),
  head_snapshot_id: z.nullable(z.string().check(z.regex(/^\d{13}-[0-9a-f]{8}$/))),
  kind: z.enum(['create', 'acquire', 'steal', 'release', 'head', 'adopt', 'begin', 'end', 'remove']),
  lock: z.nullable(LockState),
  pending: z.nullable(PendingOperation),
  prev_hash: z.string(),
  reason: z.nullable(z.string()),
  record_hash: z.string(),
  seq: z.int().check(z.positive()),
  /** The worktree's name. */
  worktree: z.string(),
  worktree_id: z.uuid(),
});
export type StateRecord = z.infer<typeof StateRecord>;
export type StateKind = StateRecord['kind'];

/** @throws LogBrokenError when the record is not one of a state log */
export function parseStateRecord(record: LogRecord): StateRecord {
  const parsed = StateRecord.safeParse(record);
  if (!parsed.success) throw new LogBrokenError('state', record.seq, 'does not have the fields of a state record');
  return parsed.data;
}

/** What a new record changes; everything else is carried forward. */
export interface StateChange {
  kind: StateKind;
  actor: string;
  head_snapshot_id?: string | null;
  lock?: LockState | null;
  pending?: PendingOperation | null;
  reason?: string | null;
  worktree?: string;
}

/** Where a worktree's lock lives and who is asking. Audit and repair of what went before are the repository's. */
export interface LockSite {
  /** The worktree's name. */
  worktree: string;
  worktreeId: string;
  log: ExclusiveLog;
  /** `.jvs/locks/probe`: a byte written there shows the filesystem's clock. */
  probePath: string;
  /** Where this user keeps the secrets of the locks of this repository; undefined when there is no state home. */
  credentialsDirectory: string | undefined;
  caller: { actor: string; sessionId: string; fencingToken?: number | undefined };
  clock: Clock;
  /** Called before each append with the record that it follows, to see that no audit record is missing. */
  beforeAppend(tip: StateRecord): Promise<void>;
}

/** The newest state. @throws LogBrokenError when the log is empty or damaged */
export async function readState(site: Pick<LockSite, 'log'>): Promise<StateRecord> {
  const tip = await site.log.tip();
  if (tip === undefined) throw new LogBrokenError('state', 1, 'is missing');
  return parseStateRecord(tip);
}

/** The fields of the record that follows `previous`. */
export function nextState(previous: StateRecord, change: StateChange, nowMs: number): JsonObject {
  return {
    actor: change.actor,
    at: timestamp(nowMs),
    event_id: randomUUID(),
    head_snapshot_id: change.head_snapshot_id === undefined ? previous.head_snapshot_id : change.head_snapshot_id,
    kind: change.kind,
    lock: change.lock === undefined ? previous.lock : change.lock,
    pending: change.pending === undefined ? previous.pending : change.pending,
    reason: change.reason === undefined || change.reason === null ? null : cutText(change.reason),
    worktree: change.worktree ?? previous.worktree,
    worktree_id: previous.worktree_id,
  };
}

/** What {@link nextState} makes; the log adds the rest. */
const StateFields = z.omit(StateRecord, { seq: true, prev_hash: true, record_hash: true });

/** Appends the record that follows `previous`, if no other came in between. Nothing that nobody could read is written. */
export async function appendState(
  site: LockSite,
  previous: StateRecord,
  change: StateChange,
): Promise<StateRecord | 'lost'> {
  await site.beforeAppend(previous);
  const appended = await site.log.appendAt(previous.seq + 1, () => {
    const next = nextState(previous, change, site.clock.now());
    StateFields.parse(next);
    return next;
  });
  return appended === 'lost' ? 'lost' : parseStateRecord(appended);
}
