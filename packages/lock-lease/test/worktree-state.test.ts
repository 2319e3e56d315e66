import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { openLog, type LogRecord } from '@jvs/platform/exclusive-log';
import { describe, expect } from 'vitest';
import { LockState, SessionId } from '../src/lock-state.ts';
import { appendState, nextState, parseStateRecord, PendingOperation, readState } from '../src/worktree-state.ts';
import {
  canonical,
  LOCK,
  NONCE,
  recordHash,
  sha256,
  STATE_1,
  STATE_2,
  STATE_3,
  STATE_LINES,
  STATE_RECORDS,
} from './fixtures/vectors.ts';
import { test } from './fixtures/world.ts';

describe('the state records of the test vectors', () => {
  test('hash to what the document says', () => {
    expect(STATE_RECORDS.map(recordHash)).toEqual(STATE_RECORDS.map(({ record_hash }) => record_hash));
    expect(sha256(NONCE)).toBe(LOCK.holder_nonce_hash);
  });

  test('are read as they are', async ({ dir }) => {
    mkdirSync(`${dir}/state`);
    const log = openLog(`${dir}/state`, 'state', { tempDirectory: dir });
    for (const [index, line] of STATE_LINES.entries()) writeFileSync(log.slotPath(index + 1), `${line}\n`);

    const read = [];
    for await (const record of log.records()) read.push(parseStateRecord(record));

    expect(read).toEqual(STATE_RECORDS);
    expect(await readState({ log })).toEqual(STATE_3);
  });

  test('are written as they are', async ({ dir }) => {
    mkdirSync(`${dir}/state`);
    mkdirSync(`${dir}/tmp`);
    const log = openLog(`${dir}/state`, 'state', { tempDirectory: `${dir}/tmp` });

    for (const { seq: _seq, prev_hash: _prev, record_hash: _hash, ...fields } of STATE_RECORDS)
      await log.append(() => fields);

    for (const [index, line] of STATE_LINES.entries()) {
      expect(readFileSync(log.slotPath(index + 1), 'utf8')).toBe(`${line}\n`);
    }
  });
});

describe('a record that is no state', () => {
  test.for([
    ['an unknown key', { ...STATE_2, extra: 1 }],
    ['an unknown key in the lock', { ...STATE_2, lock: { ...LOCK, extra: 1 } }],
    ['an unknown kind', { ...STATE_2, kind: 'renew' }],
    ['a head that is no id', { ...STATE_2, head_snapshot_id: '../../etc' }],
    ['no worktree id', { ...STATE_2, worktree_id: 'main' }],
    ['an unknown pending operation', { ...STATE_2, pending: { op: 'explode', op_id: STATE_2.event_id } }],
    ['a key missing', (({ reason: _reason, ...rest }) => rest)(STATE_2)],
  ] as [string, LogRecord][])('with %s is a broken chain', ([, record]) => {
    expect(() => parseStateRecord(record)).toThrow(expect.objectContaining({ code: 'E_AUDIT_CHAIN_BROKEN' }));
  });

  test('an empty log is a broken chain', async ({ dir }) => {
    mkdirSync(`${dir}/state`);
    const log = openLog(`${dir}/state`, 'state', { tempDirectory: dir });

    await expect(readState({ log })).rejects.toMatchObject({ code: 'E_AUDIT_CHAIN_BROKEN' });
  });

  test('every pending operation of the document is one', () => {
    const op_id = STATE_1.event_id;
    const snapshot_id = '1771578748123-0a1b2c3d';
    for (const pending of [
      { op: 'create', op_id, snapshot_id },
      { op: 'create', op_id, snapshot_id: null },
      { op: 'restore', op_id, snapshot_id, reason: 'why' },
      { op: 'rename', op_id, from: 'a', to: 'b' },
      { op: 'remove', op_id, reason: null },
      { op: 'unclaim', op_id },
    ]) {
      expect(PendingOperation.safeParse(pending).success).toBe(true);
    }
    expect(PendingOperation.safeParse({ op: 'rename', op_id, from: 'a' }).success).toBe(false);
  });
});

describe('the lock of a record', () => {
  test.for([
    ['a lease below a second', { lease_duration_ms: 999 }],
    ['a lease above a day', { lease_duration_ms: 86_400_001 }],
    ['token 0', { fencing_token: 0 }],
    ['a hash that is none', { holder_nonce_hash: NONCE }],
    ['a session with a control character', { session_id: 'a\u001bb' }],
    ['no holder', { holder_id: '' }],
  ] as const)('with %s is none', ([, change]) => {
    expect(LockState.safeParse(LOCK).success).toBe(true);
    expect(LockState.safeParse({ ...LOCK, ...change }).success).toBe(false);
  });

  test('a session id has no control characters', () => {
    for (const good of ['ada@build7', 'a b', '\u00e9', '\u{1f600}'])
      expect(SessionId.safeParse(good).success).toBe(true);
    for (const bad of ['', 'a\nb', 'a\u0000', '\u007f', '\u0085', '\u2028'])
      expect(SessionId.safeParse(bad).success).toBe(false);
  });
});

describe('the next record', () => {
  test('carries everything forward that it does not change', () => {
    const next = nextState(STATE_3, { kind: 'release', actor: 'me', lock: null }, Date.UTC(2026, 1, 21));

    expect(next).toMatchObject({
      kind: 'release',
      actor: 'me',
      at: '2026-02-21T00:00:00.000Z',
      head_snapshot_id: STATE_3.head_snapshot_id,
      lock: null,
      pending: null,
      reason: null,
      worktree: 'main',
      worktree_id: STATE_3.worktree_id,
    });
    expect(next['event_id']).not.toBe(STATE_3.event_id);
  });

  test('is appended behind its predecessor or not at all', async ({ world }) => {
    const site = world.as('ada');
    const first = await readState(site);

    const second = await appendState(site, first, { kind: 'begin', actor: 'me' });
    const late = await appendState(site, first, { kind: 'end', actor: 'me' });

    expect(second).toMatchObject({ seq: 2, prev_hash: first.record_hash });
    expect(late).toBe('lost');
    expect(await world.kinds()).toEqual(['create', 'begin']);
  });

  test('is not written when nobody could read it', async ({ world }) => {
    const first = await world.state();
    const change = { kind: 'begin', actor: '' } as const;

    await expect(appendState(world.as('ada'), first, change)).rejects.toThrow('actor');

    expect(await world.kinds()).toEqual(['create']);
  });

  test('waits for the audit of its predecessor, and is not written when that fails', async ({ world }) => {
    const first = await world.state();
    const site = {
      ...world.as('ada'),
      beforeAppend: async () => {
        throw new Error('the audit log is full');
      },
    };

    await expect(appendState(site, first, { kind: 'begin', actor: 'me' })).rejects.toThrow('the audit log is full');
    expect(await world.kinds()).toEqual(['create']);

    await appendState(world.as('ada'), first, { kind: 'begin', actor: 'me' });
    expect(world.announced).toEqual([first]);
  });

  test('is one canonical line with the hash of the rest', async ({ world }) => {
    const record = await appendState(world.as('ada'), await world.state(), { kind: 'begin', actor: 'me' });

    const text = readFileSync(world.log.slotPath(2), 'utf8');
    expect(text).toBe(`${canonical(record)}\n`);
    expect(record).toMatchObject({ record_hash: recordHash(JSON.parse(text) as object) });
  });
});
