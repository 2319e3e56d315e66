import { describe, expect } from 'vitest';
import { acquireLock } from '../src/acquire-lock.ts';
import { checkFencing, findOwnLock } from '../src/check-fencing.ts';
import { releaseLock } from '../src/release-lock.ts';
import { GRACE, LEASE, SECOND, SKEW, test } from './fixtures/world.ts';

describe('a step of an operation that began as holder', () => {
  test('goes on while the lock is the same and alive', async ({ world }) => {
    const { lock } = await acquireLock(world.as('ada'));

    await expect(checkFencing(world.as('ada'), 2)).resolves.toMatchObject({ lock });
  });

  test('ends when the lease is over, though nobody took it', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SECOND);

    await expect(checkFencing(world.as('ada'), 2)).rejects.toMatchObject({ code: 'E_LOCK_EXPIRED' });
  });

  test('ends when another stole the lock', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SKEW + GRACE + SECOND);
    const { lock } = await acquireLock(world.as('bob'));

    await expect(checkFencing(world.as('ada'), 2)).rejects.toMatchObject({
      code: 'E_FENCING_MISMATCH',
      details: { our_token: 2, current_token: 3, holder_id: 'host:bob:1:1', since: lock.created_at },
    });
  });

  test('ends when the lock was released, and when its own session acquired anew', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await releaseLock(world.as('ada'));
    await expect(checkFencing(world.as('ada'), 2)).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH' });
    await acquireLock(world.as('ada'));

    await expect(checkFencing(world.as('ada'), 2)).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH' });
    await expect(checkFencing(world.as('ada'), 4)).resolves.toBeDefined();
  });
});

describe('one\u2019s own lock', () => {
  test('is found with its lease', async ({ world }) => {
    const { lock, record } = await acquireLock(world.as('ada'));
    expect(await findOwnLock(world.as('ada'))).toMatchObject({ lock, record, isOver: false });
    await world.age(LEASE + SECOND);

    expect(await findOwnLock(world.as('ada'))).toMatchObject({ lock, isOver: true });
  });

  test('is nobody else\u2019s', async ({ world }) => {
    await acquireLock(world.as('ada'));

    await expect(findOwnLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    await expect(findOwnLock(world.as('bob', { token: 1 }))).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH' });
    await expect(findOwnLock(world.as('bob', { token: 2 }))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
  });
});

test('messages of all of them carry no secret', async ({ world }) => {
  const { lock } = await acquireLock(world.as('ada'));

  for (const attempt of [
    findOwnLock(world.as('bob')),
    checkFencing(world.as('ada'), 1),
    acquireLock(world.as('bob')),
  ]) {
    const error: unknown = await attempt.catch((reason: unknown) => reason);
    const { message, details } = error as { message: string; details: object };
    expect(message + JSON.stringify(details)).not.toContain(lock.holder_nonce_hash);
  }
});
