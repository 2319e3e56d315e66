import { describe, expect } from 'vitest';
import { acquireLock } from '../src/acquire-lock.ts';
import { lockStatus } from '../src/lock-status.ts';
import { releaseAbandoned, releaseLock } from '../src/release-lock.ts';
import { renewLock } from '../src/renew-lock.ts';
import { GRACE, LEASE, SECOND, SKEW, test } from './fixtures/world.ts';

describe('releasing', () => {
  test('leaves a free lock, the head, and no secret', async ({ world }) => {
    await world.writeNext({ kind: 'end', head_snapshot_id: '1771578748123-0a1b2c3d' });
    await acquireLock(world.as('ada'));

    const record = await releaseLock(world.as('ada'));

    expect(record).toMatchObject({
      kind: 'release',
      lock: null,
      reason: null,
      head_snapshot_id: '1771578748123-0a1b2c3d',
    });
    expect(await lockStatus(world.as('ada'))).toMatchObject({ state: 'free', mine: false, leaseEndMs: undefined });
    expect(world.secrets('ada')).toEqual([]);
  });

  test('a free lock changes nothing', async ({ world }) => {
    expect(await releaseLock(world.as('ada'))).toBeUndefined();
    expect(await world.kinds()).toEqual(['create']);
  });

  test('is for the holder, whether his lease is over or not', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await expect(releaseLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    await world.age(LEASE + SECOND);

    await expect(releaseLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    expect(await releaseLock(world.as('ada'))).toMatchObject({ kind: 'release' });
  });

  test('under an old token is fenced off', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SECOND);
    await acquireLock(world.as('ada'));

    await expect(releaseLock(world.as('ada', { token: 2 }))).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH' });
    expect(await releaseLock(world.as('ada', { token: 3 }))).toMatchObject({ kind: 'release' });
  });

  test('another\u2019s lock needs force and a reason, which is kept', async ({ world }) => {
    await acquireLock(world.as('ada'));
    for (const reason of [undefined, '', '  ']) {
      await expect(releaseLock(world.as('bob'), { force: true, reason })).rejects.toMatchObject({ code: 'E_USAGE' });
    }

    const record = await releaseLock(world.as('bob'), { force: true, reason: 'ada is on holiday' });

    expect(record).toMatchObject({ kind: 'release', lock: null, reason: 'ada is on holiday', actor: 'host:bob:1:1' });
    await expect(releaseLock(world.as('ada'))).resolves.toBeUndefined();
  });

  test('goes on behind a record that came in between', async ({ world }) => {
    await acquireLock(world.as('ada'));
    const ada = world.as('ada');
    let isFirst = true;
    const interrupted = {
      ...ada,
      beforeAppend: async () => {
        if (isFirst) await world.writeNext({ kind: 'head', head_snapshot_id: '1771578748123-0a1b2c3d' });
        isFirst = false;
      },
    };

    expect(await releaseLock(interrupted)).toMatchObject({ seq: 4, head_snapshot_id: '1771578748123-0a1b2c3d' });
  });
});

test('a lock that is stolen while it is being released: the caller was the holder as this began', async ({ world }) => {
  await acquireLock(world.as('ada'));
  const { lock } = await world.state();
  const stolen = { ...world.as('ada'), beforeAppend: async () => world.writeNext({ kind: 'steal', lock: taken }) };
  const taken = { ...lock, fencing_token: 3, session_id: 'bob@host', holder_id: 'host:bob:1:1' };

  await expect(releaseLock(stolen)).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH', details: { our_token: 2 } });
  expect(await world.kinds()).toEqual(['create', 'acquire', 'steal']);
});

test('the hint after a lock was released names no thief', async ({ world }) => {
  await acquireLock(world.as('ada'));
  await releaseLock(world.as('ada'));

  const fenced = await renewLock(world.as('ada', { token: 2 })).catch((error: unknown) => error);

  expect(fenced).toMatchObject({ code: 'E_FENCING_MISMATCH', hint: 'Acquire it again and repeat the command.' });
});

describe('releasing an abandoned lock', () => {
  test('needs evidence', async ({ world }) => {
    expect(await releaseAbandoned(world.as('bob'))).toBeUndefined();
    await acquireLock(world.as('ada'));
    expect(await releaseAbandoned(world.as('bob'))).toBeUndefined();
    await world.age(LEASE + SKEW);

    expect(await releaseAbandoned(world.as('bob'))).toBeUndefined();
    expect(await world.kinds()).toEqual(['create', 'acquire']);
  });

  test('says which evidence it was', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SKEW + GRACE + SECOND);

    const record = await releaseAbandoned(world.as('bob'));

    expect(record).toMatchObject({
      kind: 'release',
      lock: null,
      actor: 'host:bob:1:1',
      reason: expect.stringContaining('clock'),
    });
  });
});
