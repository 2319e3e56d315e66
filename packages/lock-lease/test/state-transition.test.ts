import { describe, expect, test } from 'vitest';
import { transitionProblem } from '../src/state-transition.ts';
import type { StateRecord } from '../src/worktree-state.ts';
import { LOCK, STATE_1, STATE_2, STATE_3 } from './fixtures/vectors.ts';

const ID = '11111111-1111-4111-8111-111111111111';
const OTHER_LOCK = { ...LOCK, lock_id: ID, fencing_token: 4, acquire_seq: 2 };
const FREE: StateRecord = { ...STATE_3, seq: 4, kind: 'release', lock: null };
const MOVED = '1771578748124-00000000';
const RENAME = { op: 'rename', op_id: ID, from: 'main', to: 'other' } as const;
const RESTORE = { op: 'restore', op_id: ID, snapshot_id: MOVED, reason: 'undo' } as const;

test('the records of the test vectors may follow one another', () => {
  expect(transitionProblem(undefined, STATE_1)).toBeUndefined();
  expect(transitionProblem(STATE_1, STATE_2)).toBeUndefined();
  expect(transitionProblem(STATE_2, STATE_3)).toBeUndefined();
});

describe('may follow', () => {
  test.for<[string, StateRecord, Partial<StateRecord>]>([
    ['the theft of a lock', STATE_3, { kind: 'steal', lock: OTHER_LOCK }],
    ['a release', STATE_3, { kind: 'release', lock: null }],
    ['another head', STATE_3, { kind: 'head', head_snapshot_id: MOVED }],
    ['a restore with the lock', STATE_3, { kind: 'begin', pending: RESTORE }],
    ['a rename that ends a lock whose holder is gone', STATE_3, { kind: 'begin', pending: RENAME, lock: null }],
    ['a rename without lock', FREE, { kind: 'begin', pending: RENAME }],
    [
      'a lock amidst a rename',
      { ...FREE, pending: RENAME },
      { kind: 'acquire', lock: { ...OTHER_LOCK, fencing_token: 5 } },
    ],
    [
      'a rename begun again by a holder',
      { ...STATE_3, pending: RENAME },
      { kind: 'begin', pending: { ...RENAME, op_id: STATE_1.event_id } },
    ],
    ['the end of a restore', { ...STATE_3, pending: RESTORE }, { kind: 'end', pending: null, head_snapshot_id: MOVED }],
    ['a removal', { ...FREE, pending: { op: 'remove', op_id: ID, reason: null } }, { kind: 'remove', pending: null }],
  ])('%s', ([, previous, change]) => {
    expect(transitionProblem(previous, { ...previous, seq: previous.seq + 1, ...change })).toBeUndefined();
  });
});

describe('may not follow', () => {
  test.for<[string, StateRecord, Partial<StateRecord>]>([
    ['a second beginning', STATE_3, { kind: 'create' }],
    ['a record of another worktree', STATE_3, { kind: 'head', head_snapshot_id: MOVED, worktree_id: ID }],
    [
      'anything after the end',
      { ...FREE, kind: 'remove' },
      { kind: 'acquire', lock: { ...OTHER_LOCK, fencing_token: 5 } },
    ],
    ['a second lock', STATE_3, { kind: 'acquire', lock: OTHER_LOCK }],
    ['a lock whose token is another number', STATE_3, { kind: 'steal', lock: { ...OTHER_LOCK, fencing_token: 3 } }],
    ['a theft that leaves the lock as it was', STATE_3, { kind: 'steal', lock: { ...LOCK, fencing_token: 4 } }],
    ['a theft of nothing', FREE, { kind: 'steal', lock: { ...OTHER_LOCK, fencing_token: 5 } }],
    [
      'a lock that moves the head',
      FREE,
      { kind: 'acquire', lock: { ...OTHER_LOCK, fencing_token: 5 }, head_snapshot_id: MOVED },
    ],
    ['a release that keeps the lock', STATE_3, { kind: 'release' }],
    ['a head without lock', FREE, { kind: 'head', head_snapshot_id: MOVED }],
    ['a head under another lock', STATE_3, { kind: 'head', head_snapshot_id: MOVED, lock: OTHER_LOCK }],
    [
      'a head amidst a restore',
      { ...STATE_3, pending: RESTORE },
      { kind: 'head', head_snapshot_id: MOVED, pending: null },
    ],
    ['a head that is none', STATE_3, { kind: 'adopt', head_snapshot_id: null }],
    ['a rename that keeps the lock', STATE_3, { kind: 'begin', pending: RENAME }],
    ['a restore that drops the lock', STATE_3, { kind: 'begin', pending: RESTORE, lock: null }],
    ['another operation amidst one', { ...STATE_3, pending: RESTORE }, { kind: 'begin', pending: RENAME }],
    ['another name', STATE_3, { kind: 'head', head_snapshot_id: MOVED, worktree: 'other' }],
    [
      'an end of a rename that moves the head',
      { ...FREE, pending: RENAME },
      { kind: 'end', pending: null, worktree: 'other', head_snapshot_id: MOVED },
    ],
    ['an end of nothing', STATE_3, { kind: 'end' }],
    ['an end that ends nothing', { ...STATE_3, pending: RESTORE }, { kind: 'end' }],
    ['an end that drops the lock', { ...STATE_3, pending: RESTORE }, { kind: 'end', pending: null, lock: null }],
  ])('%s', ([, previous, change]) => {
    expect(transitionProblem(previous, { ...previous, seq: previous.seq + 1, ...change })).toMatch(/^[a-z]/);
  });

  test('nothing, but as the first: a lock, and a worktree born with one', () => {
    expect(transitionProblem(undefined, { ...STATE_2, seq: 1 })).toBe('is the first and a "acquire"');
    expect(transitionProblem(undefined, { ...STATE_1, lock: LOCK })).toBe('creates a worktree with a lock on it');
  });
});
