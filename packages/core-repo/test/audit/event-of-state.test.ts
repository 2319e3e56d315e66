import { parseStateRecord, type StateRecord } from '@jvs/lock-lease';
import type { LogRecord } from '@jvs/platform/exclusive-log';
import { describe, expect } from 'vitest';
import { backfillAudit, eventOfState } from '../../src/audit/event-of-state.ts';
import type { Repository } from '../../src/repository.ts';
import { verifyAudit } from '../../src/verify/verify-audit.ts';
import { releaseLock } from '../../src/worktree/locking.ts';
import { openWorktree } from '../../src/worktree/worktree.ts';
import { AUDIT_RECORDS, CONFIG_SHA256, D1, LOCK, STATE_RECORDS } from '../fixtures/vectors.ts';
import { appendAuditByHand, appendStateByHand, auditRecords, test } from '../fixtures/world.ts';

const OP = '00000000-0000-4000-8000-0000000000aa';

function asState(record: object): StateRecord {
  return parseStateRecord(record as LogRecord);
}

/** Appends the state record by hand and derives its event. */
async function eventOf(r: Repository, change: object) {
  return eventOfState(r, asState(appendStateByHand(r, change)));
}

describe('the event of a state record', () => {
  test('is the audit record of the test vectors, for acquire and head', async ({ vector }) => {
    for (const n of [1, 2] as const) {
      const { seq: _s, prev_hash: _p, record_hash: _h, timestamp: _t, condemned_plan: _c, ...event } = AUDIT_RECORDS[n];

      expect(await eventOfState(vector, asState(STATE_RECORDS[n]))).toEqual(event);
    }
  });

  test('of a steal is a lock_steal with the new token', async ({ vector }) => {
    const lock = { ...LOCK, fencing_token: 4, session_id: 'bob@host', purpose: null };

    expect(await eventOf(vector, { kind: 'steal', lock })).toMatchObject({
      operation: 'lock_steal',
      target: 'main',
      fencing_token: 4,
      session_id: 'bob@host',
      snapshot_id: null,
      details: { lease_duration_ms: 300000, purpose: null },
    });
  });

  test('of a release names the lock that was given back, and why', async ({ vector }) => {
    expect(await eventOf(vector, { kind: 'release', lock: null, reason: 'ada is on holiday' })).toMatchObject({
      operation: 'lock_release',
      fencing_token: 2,
      session_id: 'ada@build7',
      reason: 'ada is on holiday',
    });
  });

  test('of an adoption is a repair about the snapshot', async ({ vector }) => {
    expect(await eventOf(vector, { kind: 'adopt', head_snapshot_id: D1.snapshot_id })).toMatchObject({
      operation: 'repair',
      snapshot_id: D1.snapshot_id,
      details: { descriptor_checksum: D1.descriptor_checksum.value },
    });
  });

  test.for([
    [
      'a worktree from a snapshot',
      'create',
      { op: 'create', op_id: OP, snapshot_id: D1.snapshot_id },
      'worktree_create',
      D1.snapshot_id,
    ],
    ['an empty worktree', 'create', { op: 'create', op_id: OP, snapshot_id: null }, 'worktree_create', null],
    ['a claimed name given back', 'create', { op: 'unclaim', op_id: OP }, 'worktree_create', null],
    [
      'a restore',
      'begin',
      { op: 'restore', op_id: OP, snapshot_id: D1.snapshot_id, reason: 'why' },
      'restore',
      D1.snapshot_id,
    ],
    ['a rename', 'begin', { op: 'rename', op_id: OP, from: 'a', to: 'b' }, 'worktree_rename', null],
    ['a removal', 'begin', { op: 'remove', op_id: OP, reason: 'why' }, 'worktree_remove', null],
  ] as const)('at the beginning of %s says so', async ([, kind, pending, operation, snapshotId], { vector }) => {
    expect(await eventOf(vector, { kind, pending, lock: null })).toMatchObject({
      operation,
      snapshot_id: snapshotId,
      details: { phase: 'begin' },
    });
  });

  test('at the creation of a worktree vouches for its configuration', async ({ vector }) => {
    const pending = { op: 'create', op_id: OP, snapshot_id: null };

    expect(await eventOf(vector, { kind: 'create', pending })).toMatchObject({
      details: { object_sha256: CONFIG_SHA256 },
    });
  });

  const restore = { op: 'restore', op_id: OP, snapshot_id: D1.snapshot_id, reason: 'why' };
  const rename = { op: 'rename', op_id: OP, from: 'main', to: 'second' };
  test.for([
    [
      'a creation that arrived',
      { op: 'create', op_id: OP, snapshot_id: null },
      { kind: 'end' },
      'worktree_create',
      'done',
    ],
    [
      'a creation given up',
      { op: 'create', op_id: OP, snapshot_id: null },
      { kind: 'remove' },
      'worktree_create',
      'undone',
    ],
    ['an unclaimed name', { op: 'unclaim', op_id: OP }, { kind: 'remove' }, 'worktree_create', 'undone'],
    ['a restore that moved the head', restore, { kind: 'end', head_snapshot_id: D1.snapshot_id }, 'restore', 'done'],
    ['a restore without effect', restore, { kind: 'end', head_snapshot_id: null }, 'restore', 'undone'],
    ['a removal', { op: 'remove', op_id: OP, reason: null }, { kind: 'remove' }, 'worktree_remove', 'done'],
    [
      'a removal without effect',
      { op: 'remove', op_id: OP, reason: null },
      { kind: 'end' },
      'worktree_remove',
      'undone',
    ],
    ['a rename', rename, { kind: 'end', worktree: 'second' }, 'worktree_rename', 'done'],
    ['a rename without effect', rename, { kind: 'end', worktree: 'main' }, 'worktree_rename', 'undone'],
  ] as const)('at the end of %s says whether it was done', async ([, pending, end, operation, outcome], { vector }) => {
    appendStateByHand(vector, { kind: 'begin', pending, lock: null, head_snapshot_id: null });

    expect(await eventOf(vector, { pending: null, ...end })).toMatchObject({
      operation,
      details: { phase: 'end', outcome },
    });
  });
});

describe('a missing audit record', () => {
  test('of the newest state is written once, marked as recovered', async ({ vector }) => {
    const record = asState(appendStateByHand(vector, { kind: 'release', lock: null }));

    expect(await backfillAudit(vector, record)).toBe(true);
    expect(await backfillAudit(vector, record)).toBe(false);

    const added = auditRecords(vector).slice(3);
    expect(added).toHaveLength(1);
    expect(added[0]).toMatchObject({
      event_id: record.event_id,
      operation: 'lock_release',
      details: { recovered: true },
    });
  });

  test('of an older state is not looked for', async ({ vector }) => {
    expect(await backfillAudit(vector, asState(STATE_RECORDS[2]))).toBe(false);
    expect(auditRecords(vector)).toHaveLength(3);
  });

  test('is found behind others that came since', async ({ vector }) => {
    const other = { operation: 'sync', target: null, snapshot_id: null, details: {}, timestamp: STATE_RECORDS[2].at };
    for (let n = 0; n < 20; n += 1) appendAuditByHand(vector, other);

    expect(await backfillAudit(vector, asState(STATE_RECORDS[2]))).toBe(false);
  });

  test('is written by the next command, before its own', async ({ fresh }) => {
    const lost = appendStateByHand(fresh, { kind: 'acquire', lock: LOCK });
    expect(await verifyAudit(fresh)).toMatchObject({ valid: true, audit_missing: ['main'] });

    await releaseLock(await openWorktree(fresh, 'main'), { force: true, reason: 'the holder is gone' });

    const [, recovered, released] = auditRecords(fresh);
    expect(recovered).toMatchObject({
      event_id: lost.event_id,
      operation: 'lock_acquire',
      details: { recovered: true },
    });
    expect(released).toMatchObject({ operation: 'lock_release', reason: 'the holder is gone' });
    expect(await verifyAudit(fresh)).toMatchObject({ valid: true, count: 3, audit_missing: [], problems: [] });
  });
});
