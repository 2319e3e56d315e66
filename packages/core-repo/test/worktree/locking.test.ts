import { utimesSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { verifyAudit } from '../../src/verify/verify-audit.ts';
import { listWorktrees } from '../../src/worktree/list-worktrees.ts';
import { acquireLock, lockStatus, releaseLock, renewLock } from '../../src/worktree/locking.ts';
import { openWorktree } from '../../src/worktree/worktree.ts';
import { LOCK } from '../fixtures/vectors.ts';
import { auditRecords, open, slot, stateRecords, test } from '../fixtures/world.ts';

describe('every change of a lock', () => {
  test('has one audit record, with token, session and reason', async ({ dir, fresh, main }) => {
    await acquireLock(main, { purpose: 'nightly run', leaseDurationMs: 60_000 });
    await renewLock(main);
    const bobs = await openWorktree(await open(dir, 'bob'), 'main');
    await releaseLock(bobs, { force: true, reason: 'ada is on holiday' });
    const past = Date.now() / 1000 - 3600;
    await acquireLock(bobs);
    utimesSync(`${fresh.layout.state(main.id)}/${slot(4)}`, past, past);
    await acquireLock(main);
    await releaseLock(main);

    const told = auditRecords(fresh).map(({ operation, fencing_token, session_id, reason }) => [
      operation,
      fencing_token,
      session_id,
      reason,
    ]);
    expect(told.slice(1)).toEqual([
      ['lock_acquire', 2, 'ada@host', null],
      ['lock_renew', 2, 'ada@host', null],
      ['lock_release', 2, 'ada@host', 'ada is on holiday'],
      ['lock_acquire', 4, 'bob@host', null],
      ['lock_steal', 5, 'ada@host', null],
      ['lock_release', 5, 'ada@host', null],
    ]);
    expect(auditRecords(fresh)[1]?.details).toMatchObject({ lease_duration_ms: 60_000, purpose: 'nightly run' });
    expect(await verifyAudit(fresh)).toMatchObject({ valid: true, problems: [], audit_missing: [] });
  });

  test('that was refused has none', async ({ dir, fresh, main }) => {
    await acquireLock(main);
    const bobs = await openWorktree(await open(dir, 'bob'), 'main');

    await expect(acquireLock(bobs)).rejects.toMatchObject({ code: 'E_LOCK_CONFLICT' });
    await expect(renewLock(bobs)).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    await expect(releaseLock(bobs)).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });

    expect(auditRecords(fresh)).toHaveLength(2);
    expect(stateRecords(fresh)).toHaveLength(2);
  });

  test('of a free lock is nothing', async ({ fresh, main }) => {
    expect(await releaseLock(main)).toEqual({ worktree: 'main', released: false });
    expect(auditRecords(fresh)).toHaveLength(1);
  });
});

describe('what is shown of a lock', () => {
  test('is all but the hash of the secret', async ({ main }) => {
    const { lock, expires_at } = await acquireLock(main);

    expect(Object.keys(lock).toSorted()).toEqual(
      Object.keys(LOCK)
        .filter((key) => key !== 'holder_nonce_hash')
        .toSorted(),
    );
    expect(Math.abs(Date.parse(expires_at) - Date.now() - 300_000)).toBeLessThan(5000);
    expect(await lockStatus(main)).toEqual({ state: 'held', lock, expires_at, mine: true });
    await releaseLock(main);
    expect(await lockStatus(main)).toEqual({ state: 'free', lock: null, expires_at: null, mine: false });
  });

  test('is in the list of worktrees', async ({ vector }) => {
    expect(await listWorktrees(vector)).toMatchObject([
      {
        name: 'main',
        path: `${vector.root}/main`,
        head_snapshot_id: '1771578748123-0a1b2c3d',
        lock_state: 'held',
        pending: null,
      },
    ]);
  });
});
