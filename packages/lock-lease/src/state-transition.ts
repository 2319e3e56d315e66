import { canonicalJson, type JsonValue } from '@jvs/platform/canonical-json';
import type { StateRecord } from './worktree-state.ts';

/**
 * Why a record may not follow the one before it (undefined: it is the first); undefined where it may. Of the table in
 * docs/specs/jvs.md, "Kinds of records", these are the rules that two records show; what breaks one was not written by
 * this program, or the chain was replaced as a whole.
 */
export function transitionProblem(previous: StateRecord | undefined, record: StateRecord): string | undefined {
  if (previous === undefined) return firstProblem(record);
  if (record.worktree_id !== previous.worktree_id) return 'is of another worktree than the one before it';
  if (previous.kind === 'remove') return 'follows the end of the worktree';
  if (record.worktree !== previous.worktree && !endsRename(previous, record)) return 'gives the worktree another name';
  return RULES[record.kind].find(([holds]) => !holds(previous, record))?.[1];
}

function firstProblem({ kind, lock }: StateRecord): string | undefined {
  if (kind !== 'create') return `is the first and a "${kind}"`;
  return lock === null ? undefined : 'creates a worktree with a lock on it';
}

type Rule = readonly [holds: (previous: StateRecord, record: StateRecord) => boolean, problem: string];

const KEEPS_HEAD: Rule = [(a, b) => a.head_snapshot_id === b.head_snapshot_id, 'moves the head'];
const KEEPS_LOCK: Rule = [(a, b) => isEqual(a.lock, b.lock), 'changes the lock'];
const KEEPS_PENDING: Rule = [(a, b) => isEqual(a.pending, b.pending), 'changes the pending operation'];
const NOTHING_PENDING: Rule = [(a, b) => a.pending === null && b.pending === null, 'comes amidst another operation'];
const WAS_LOCKED: Rule = [({ lock }) => lock !== null, 'is about a lock, and there was none'];
const WAS_PENDING: Rule = [(a) => a.pending !== null, 'ends an operation, and there was none'];
const ENDS_PENDING: Rule = [(_, b) => b.pending === null, 'ends an operation and leaves one pending'];
const NEW_LOCK: Rule = [
  (a, { lock, seq }) => lock !== null && lock.fencing_token === seq && lock.lock_id !== a.lock?.lock_id,
  'has no new lock whose fencing token is the number of the record',
];
const MOVES_TO_SNAPSHOT: Rule = [(_, b) => b.head_snapshot_id !== null, 'moves the head to nowhere'];

const RULES: Record<StateRecord['kind'], readonly Rule[]> = {
  create: [[() => false, 'creates a worktree that there is already']],
  acquire: [[({ lock }) => lock === null, 'takes a lock that another holds'], NEW_LOCK, KEEPS_HEAD, KEEPS_PENDING],
  steal: [WAS_LOCKED, NEW_LOCK, KEEPS_HEAD, KEEPS_PENDING],
  release: [WAS_LOCKED, [(_, { lock }) => lock === null, 'releases a lock and keeps it'], KEEPS_HEAD, KEEPS_PENDING],
  head: [WAS_LOCKED, KEEPS_LOCK, NOTHING_PENDING, MOVES_TO_SNAPSHOT],
  adopt: [WAS_LOCKED, KEEPS_LOCK, NOTHING_PENDING, MOVES_TO_SNAPSHOT],
  begin: [
    [(_, b) => b.pending !== null, 'begins no operation'],
    [(a, b) => a.pending === null || a.pending.op === b.pending?.op, 'begins one operation amidst another'],
    [(a, b) => isEqual(a.lock, b.lock) || mayDropLock(a, b), 'changes the lock'],
    [(a, b) => b.lock === null || !mayDropLock(a, b), 'keeps the lock'],
    KEEPS_HEAD,
  ],
  end: [
    WAS_PENDING,
    ENDS_PENDING,
    KEEPS_LOCK,
    [(a, b) => a.pending?.op === 'restore' || a.head_snapshot_id === b.head_snapshot_id, 'moves the head'],
  ],
  remove: [WAS_PENDING, ENDS_PENDING, KEEPS_HEAD],
};

function endsRename({ pending }: StateRecord, { kind, worktree }: StateRecord): boolean {
  return kind === 'end' && pending?.op === 'rename' && worktree === pending.to;
}

/** A rename or removal leaves no lock; one that goes on with what another has begun leaves the lock as it is. */
function mayDropLock({ pending: before }: StateRecord, { pending: now }: StateRecord): boolean {
  return before === null && (now?.op === 'rename' || now?.op === 'remove');
}

function isEqual(one: JsonValue, other: JsonValue): boolean {
  return one === other || canonicalJson(one) === canonicalJson(other);
}
