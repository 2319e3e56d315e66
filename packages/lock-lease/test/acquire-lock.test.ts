import { readBootId } from '@jvs/platform/filesystem';
import { describe, expect } from 'vitest';
import { acquireLock, requireLock } from '../src/acquire-lock.ts';
import { lockStatus } from '../src/lock-status.ts';
import { releaseLock } from '../src/release-lock.ts';
import { NONCE, sha256 } from './fixtures/vectors.ts';
import { GRACE, LEASE, pass, readCredentials, SECOND, SKEW, test } from './fixtures/world.ts';

const STEALABLE = LEASE + SKEW + GRACE;

describe('a free lock', () => {
  test('is acquired by one record, whose number is the fencing token', async ({ world }) => {
    const { record, lock } = await acquireLock(world.as('ada'), { purpose: 'nightly run', leaseDurationMs: 60_000 });

    expect(record).toMatchObject({
      seq: 2,
      kind: 'acquire',
      actor: 'host:ada:1:1',
      head_snapshot_id: null,
      pending: null,
    });
    expect(await world.state()).toEqual(record);
    expect(record.lock).toEqual(lock);
    expect(lock).toMatchObject({
      fencing_token: 2,
      acquire_seq: 1,
      holder_id: 'host:ada:1:1',
      session_id: 'ada@host',
      purpose: 'nightly run',
      lease_duration_ms: 60_000,
      renew_interval_ms: 10_000,
      max_clock_skew_ms: 2000,
      steal_grace_ms: 1000,
      boot_id: await readBootId(),
    });
  });

  test('comes with the defaults of the format', async ({ world }) => {
    const { lock } = await acquireLock(world.as('ada'));

    expect(lock).toMatchObject({ lease_duration_ms: 300_000, renew_interval_ms: 10_000, purpose: null });
    expect(await lockStatus(world.as('ada'))).toMatchObject({ state: 'held', mine: true });
  });

  test('of a short lease is renewed three times within it', async ({ world }) => {
    expect((await acquireLock(world.as('ada'), { leaseDurationMs: 1000 })).lock.renew_interval_ms).toBe(333);
  });

  test('counts acquisitions over releases, and tokens never repeat', async ({ world }) => {
    const tokens: number[] = [];
    for (const person of ['ada', 'bob', 'ada']) {
      const { lock } = await acquireLock(world.as(person));
      tokens.push(lock.fencing_token);
      await releaseLock(world.as(person));
    }

    expect(tokens).toEqual([2, 4, 6]);
    expect((await acquireLock(world.as('bob'))).lock.acquire_seq).toBe(4);
  });

  test('goes to exactly one of many who want it at once', async ({ world }) => {
    const people = Array.from({ length: 8 }, (_, number) => `p${number}`);

    const results = await Promise.allSettled(people.map(async (person) => acquireLock(world.as(person))));

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'E_LOCK_CONFLICT' });
    }
    expect(await world.kinds()).toEqual(['create', 'acquire']);
    for (const [index, person] of people.entries()) {
      expect(world.secrets(person)).toHaveLength(results[index]?.status === 'fulfilled' ? 1 : 0);
    }
  });

  test('of a removed worktree is not given to anybody', async ({ world }) => {
    await world.writeNext({ kind: 'remove' });

    await expect(acquireLock(world.as('ada'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect(await world.kinds()).toEqual(['create', 'remove']);
  });
});

describe('a held lock', () => {
  test('is refused to others, who learn of the holder and the earliest take-over', async ({ world }) => {
    const { lock } = await acquireLock(world.as('ada'), { purpose: 'nightly run' });

    const refused: unknown = await acquireLock(world.as('bob')).catch((error: unknown) => error);

    expect(refused).toMatchObject({
      code: 'E_LOCK_CONFLICT',
      details: { holder_id: 'host:ada:1:1', session_id: 'ada@host', since: lock.created_at, purpose: 'nightly run' },
    });
    const { details } = refused as { details: { earliest_take_over: string } };
    const { leaseEndMs = 0 } = await lockStatus(world.as('bob'));
    expect(Date.parse(details.earliest_take_over)).toBe(leaseEndMs + SKEW + GRACE);
    expect(world.secrets('bob')).toEqual([]);
  });

  test('is refused to its own holder: acquiring is not re-entrant', async ({ world }) => {
    await acquireLock(world.as('ada'));

    const refused = await acquireLock(world.as('ada')).catch((error: unknown) => error);

    expect(refused).toMatchObject({ code: 'E_LOCK_CONFLICT' });
    expect(String(refused)).toContain('You hold the lock of worktree "main" already');
    expect(refused).toMatchObject({ hint: 'Run "jvs lock renew" to extend it.' });
    expect(await world.kinds()).toEqual(['create', 'acquire']);
  });

  test.for([999, 1500.5, 86_400_001, Number.NaN])('is not given for %d ms', async (leaseDurationMs, { world }) => {
    await expect(acquireLock(world.as('ada'), { leaseDurationMs })).rejects.toMatchObject({ code: 'E_USAGE' });
    expect(await world.kinds()).toEqual(['create']);
  });

  test('is not given to a session that could not be shown', async ({ world }) => {
    const nameless = world.as('ada', { session: 'a\nb' });

    await expect(acquireLock(nameless)).rejects.toMatchObject({ code: 'E_USAGE' });
    expect(await world.kinds()).toEqual(['create']);
  });

  test('is refused to another session of the same user', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SECOND);

    await expect(acquireLock(world.as('ada', { session: 'other' }))).rejects.toMatchObject({ code: 'E_LOCK_CONFLICT' });
  });

  test('is refused to another user of the same session', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SECOND);

    await expect(acquireLock(world.as('bob', { session: 'ada@host' }))).rejects.toMatchObject({
      code: 'E_LOCK_CONFLICT',
    });
  });

  test('whose lease is over is refused to others for skew and grace', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(STEALABLE - SECOND);

    await expect(acquireLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_LOCK_CONFLICT' });
  });

  test('whose lease, skew and grace are over is stolen, with a new token', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(STEALABLE + SECOND);

    const { record, lock } = await acquireLock(world.as('bob'));

    expect(record).toMatchObject({ kind: 'steal', seq: 3 });
    expect(lock).toMatchObject({ fencing_token: 3, acquire_seq: 2, session_id: 'bob@host' });
  });

  test('whose lease is over goes to its own session at once, without grace', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SECOND);

    const { record, lock } = await acquireLock(world.as('ada'));

    expect(record).toMatchObject({ kind: 'steal', seq: 3 });
    expect(lock).toMatchObject({ fencing_token: 3, acquire_seq: 2 });
  });

  test('is stolen by exactly one of many at once', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(STEALABLE + SECOND);
    const people = Array.from({ length: 8 }, (_, number) => `p${number}`);

    const results = await Promise.allSettled(people.map(async (person) => acquireLock(world.as(person))));

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await world.kinds()).toEqual(['create', 'acquire', 'steal']);
  });

  test('keeps the head and what is pending', async ({ world }) => {
    const pending = { op: 'create', op_id: '00000000-0000-4000-8000-0000000000aa', snapshot_id: null };
    await world.writeNext({ kind: 'begin', head_snapshot_id: '1771578748123-0a1b2c3d', pending });

    const { record } = await acquireLock(world.as('ada'));

    expect(record).toMatchObject({ head_snapshot_id: '1771578748123-0a1b2c3d', pending });
  });
});

describe('waiting', () => {
  test('gets the lock as soon as it is free', async ({ world }) => {
    await acquireLock(world.as('ada'));
    const waiting = acquireLock(world.as('bob'), { waitMs: 60_000 });
    await releaseLock(world.as('ada'));

    await pass(world, 1000, waiting);

    expect((await waiting).lock).toMatchObject({ session_id: 'bob@host', fencing_token: 4 });
  });

  test('ends with the conflict when its time is over', async ({ world }) => {
    await acquireLock(world.as('ada'));
    const waiting = acquireLock(world.as('bob'), { waitMs: 500 });

    await pass(world, 500, waiting);

    await expect(waiting).rejects.toMatchObject({ code: 'E_LOCK_CONFLICT' });
  });

  test('ends when aborted', async ({ world }) => {
    await acquireLock(world.as('ada'));
    const abort = new AbortController();
    const waiting = acquireLock(world.as('bob'), { waitMs: 60_000, signal: abort.signal });
    setTimeout(() => abort.abort(), 50);

    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a command that needs the lock', () => {
  test('uses the one that the caller holds', async ({ world }) => {
    const held = await acquireLock(world.as('ada'));
    const renewed: unknown[] = [];

    const used = await requireLock(world.as('ada'), (taken) => renewed.push(taken));

    expect(used).toMatchObject({ lock: held.lock });
    expect(renewed).toEqual([]);
    expect(await world.kinds()).toEqual(['create', 'acquire']);
  });

  test('takes its own session\u2019s expired lock up again with a new token, and says so', async ({ world }) => {
    await acquireLock(world.as('ada'), { purpose: 'nightly run', leaseDurationMs: 60_000 });
    await world.age(90_000);
    const renewed: unknown[] = [];

    const taken = await requireLock(world.as('ada'), (held) => renewed.push(held));

    expect(taken.record).toMatchObject({ kind: 'steal', seq: 3 });
    expect(taken.lock).toMatchObject({
      fencing_token: 3,
      acquire_seq: 2,
      purpose: 'nightly run',
      lease_duration_ms: 60_000,
    });
    expect(renewed).toEqual([taken]);
    expect(await lockStatus(world.as('ada'))).toMatchObject({ state: 'held', mine: true });
  });

  test('bound to a token does not: its lease is over', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SECOND);

    await expect(requireLock(world.as('ada', { token: 2 }), () => {})).rejects.toMatchObject({
      code: 'E_LOCK_EXPIRED',
    });
    expect(await world.kinds()).toEqual(['create', 'acquire']);
  });

  test('bound to an old token is fenced off', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SECOND);
    await acquireLock(world.as('ada'));

    await expect(requireLock(world.as('ada', { token: 2 }), () => {})).rejects.toMatchObject({
      code: 'E_FENCING_MISMATCH',
      details: { our_token: 2, current_token: 3 },
    });
    await expect(requireLock(world.as('ada', { token: 3 }), () => {})).resolves.toMatchObject({
      lock: { fencing_token: 3 },
    });
  });

  test('bound to a token is fenced off when the lock was released', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await releaseLock(world.as('ada'));

    await expect(requireLock(world.as('ada', { token: 2 }), () => {})).rejects.toMatchObject({
      code: 'E_FENCING_MISMATCH',
    });
  });

  test('without any lock is told that nobody has it', async ({ world }) => {
    await expect(requireLock(world.as('ada'), () => {})).rejects.toMatchObject({
      code: 'E_LOCK_NOT_HELD',
      details: { holder_id: null },
    });
  });

  test('that is not the holder is told who took the lock and when', async ({ world }) => {
    const { lock } = await acquireLock(world.as('ada'));

    await expect(requireLock(world.as('bob'), () => {})).rejects.toMatchObject({
      code: 'E_LOCK_NOT_HELD',
      details: { holder_id: 'host:ada:1:1', session_id: 'ada@host', since: lock.created_at },
    });
  });

  test('does not take up a lock that another stole in between', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(STEALABLE + SECOND);
    await acquireLock(world.as('bob'));

    await expect(requireLock(world.as('ada'), () => {})).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
  });

  test('that loses the race for its own expired lock is fenced off', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(STEALABLE + SECOND);
    const ada = world.as('ada');
    const slow = { ...ada, beforeAppend: async () => void (await acquireLock(world.as('bob'))) };

    await expect(requireLock(slow, () => {})).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH' });
    expect(await world.state()).toMatchObject({ seq: 3, lock: { session_id: 'bob@host' } });
  });
});

test('the repository holds the hash of the secret, never the secret', async ({ world }) => {
  const { lock } = await acquireLock(world.as('ada'));

  const { nonce } = readCredentials(world, 'ada', lock.lock_id);
  expect(sha256(String(nonce))).toBe(lock.holder_nonce_hash);
  expect(nonce).not.toBe(NONCE);
  expect(String(nonce).length).toBeGreaterThanOrEqual(16);
  expect(JSON.stringify(await world.state())).not.toContain(nonce);
});
