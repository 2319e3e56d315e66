import { utimesSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { acquireLock, lockStatus } from '../../src/worktree/locking.ts';
import { withLock } from '../../src/worktree/with-lock.ts';
import { openWorktree } from '../../src/worktree/worktree.ts';
import { createSnapshot } from '../../src/snapshot/create-snapshot.ts';
import { auditRecords, open, slot, stateRecords, test } from '../fixtures/world.ts';

describe('work under a lock of its own', () => {
  test('is done by the only writer, in a session of its own, and its result is returned', async ({ fresh, main }) => {
    const result = await withLock(
      main,
      async ({ lock, worktree }, signal) => {
        expect(lock).toMatchObject({ fencing_token: 2, purpose: 'nightly run' });
        expect(lock.session_id).toMatch(/^ada@host\+[0-9a-f]{8}$/);
        expect(signal.aborted).toBe(false);
        expect(await lockStatus(main)).toMatchObject({ state: 'held', mine: false });
        expect(await lockStatus(worktree)).toMatchObject({ state: 'held', mine: true });
        await expect(createSnapshot(main)).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
        return (await createSnapshot(worktree)).fencing_token;
      },
      { purpose: 'nightly run' },
    );

    expect(result).toBe(2);
    expect(stateRecords(fresh).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'head', 'release']);
    expect(
      auditRecords(fresh)
        .map(({ operation }) => operation)
        .slice(1),
    ).toEqual(['lock_acquire', 'snapshot', 'lock_release']);
  });

  test.for([
    ['rejects', async () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
  ] as const)('that %s gives the lock back and fails as the work did', async ([, work], { fresh, main }) => {
    await expect(withLock(main, work)).rejects.toThrow('no');

    expect(stateRecords(fresh).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'release']);
  });

  test('is not begun when another holds the lock', async ({ dir, fresh, main }) => {
    await acquireLock(await openWorktree(await open(dir, 'bob'), 'main'));
    let isBegun = false;

    const attempt = withLock(main, async () => {
      isBegun = true;
    });

    await expect(attempt).rejects.toMatchObject({ code: 'E_LOCK_CONFLICT' });
    expect(isBegun).toBe(false);
    expect(stateRecords(fresh)).toHaveLength(2);
  });

  test('that has lost the lock is told so by its signal, and fails whatever it returns', async ({
    dir,
    fresh,
    main,
  }) => {
    const bobs = await openWorktree(await open(dir, 'bob'), 'main');

    const attempt = withLock(
      main,
      async (_lock, signal) => {
        const past = Date.now() / 1000 - 3600;
        utimesSync(`${fresh.layout.state(main.id)}/${slot(2)}`, past, past);
        await acquireLock(bobs);
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        expect(signal.reason).toMatchObject({ code: 'E_FENCING_MISMATCH' });
        return 'done';
      },
      { leaseDurationMs: 1500 },
    );

    await expect(attempt).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH' });
    expect(stateRecords(fresh).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'steal']);
    expect(await lockStatus(bobs)).toMatchObject({ mine: true });
  });

  test('that did not notice fails likewise', async ({ dir, fresh, main }) => {
    const bobs = await openWorktree(await open(dir, 'bob'), 'main');

    const attempt = withLock(main, async () => {
      const past = Date.now() / 1000 - 3600;
      utimesSync(`${fresh.layout.state(main.id)}/${slot(2)}`, past, past);
      await acquireLock(bobs);
    });

    await expect(attempt).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH' });
  });
});
