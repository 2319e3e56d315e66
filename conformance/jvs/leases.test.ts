import { statSync, utimesSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import {
  auditRecords,
  setHeartbeatBack,
  slot,
  stateLog,
  stateRecords,
  test,
  type Descriptor,
  type RepositoryFiles,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

const DAY = 24 * 3600 * 1000;

const lockOf = (repo: RepositoryFiles) => stateRecords(repo).at(-1)?.lock ?? undefined;

describe('renew', () => {
  test('moves the heartbeat, which is the mtime of the newest record', async ({ saved, ada }) => {
    setHeartbeatBack(saved, 60_000);
    const newest = slot(stateLog(saved), 3);
    const before = statSync(newest).mtimeMs;

    await ada.ok(['lock', 'renew']);

    expect(statSync(newest).mtimeMs).toBeGreaterThan(before + 50_000);
    expect(stateRecords(saved)).toHaveLength(3);
    expect(auditRecords(saved).at(-1)?.operation).toBe('lock_renew');
  });

  test('of a lease that is over is E_LOCK_EXPIRED', async ({ saved, ada }) => {
    setHeartbeatBack(saved, 2 * DAY);

    await ada.fails(['lock', 'renew'], 'E_LOCK_EXPIRED');
  });

  test('of a free lock is E_LOCK_NOT_HELD', async ({ repo, ada }) => {
    await ada.fails(['lock', 'renew'], 'E_LOCK_NOT_HELD');
    expect(stateRecords(repo)).toHaveLength(1);
  });
});

describe('a lease that is over', () => {
  test('is taken over by its own session with a new token, and that is said', async ({ saved, ada }) => {
    setHeartbeatBack(saved, 2 * DAY);

    const result = await ada.run(['--json', 'snapshot', 'late']);

    expect(result.exitCode).toBe(0);
    expect(result.stderr).not.toBe('');
    expect((JSON.parse(result.stdout) as Descriptor).fencing_token).toBe(4);
    expect(stateRecords(saved).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'head', 'steal', 'head']);
    expect(stateRecords(saved)[3]?.lock).toMatchObject({ fencing_token: 4, acquire_seq: 2 });
  });

  test('is E_LOCK_EXPIRED for whoever insists on the old token', async ({ saved, ada }) => {
    setHeartbeatBack(saved, 2 * DAY);

    await ada.with({ JVS_FENCING_TOKEN: '2' }).fails(['snapshot'], 'E_LOCK_EXPIRED');

    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('may be taken by others after skew and grace, not before', async ({ repo, ada, bob }) => {
    await ada.ok(['lock', 'acquire', '--lease-ms', '60000']);
    const acquired = slot(stateLog(repo), 2);
    const heartbeat = (age: number) => utimesSync(acquired, new Date(Date.now() - age), new Date(Date.now() - age));

    heartbeat(60_000 + 100);
    expect(await bob.json(['lock', 'status'])).toMatchObject({ state: 'expired', mine: false });
    heartbeat(60_000 + 100);
    await bob.fails(['lock', 'acquire'], 'E_LOCK_CONFLICT');

    heartbeat(60_000 + 3000 + 100);
    expect(await bob.json(['lock', 'status'])).toMatchObject({ state: 'stealable' });
    await bob.ok(['lock', 'acquire']);

    expect(stateRecords(repo).at(-1)).toMatchObject({ kind: 'steal', lock: { fencing_token: 3, acquire_seq: 2 } });
    expect(auditRecords(repo).at(-1)).toMatchObject({ operation: 'lock_steal', fencing_token: 3 });
  });

  test('leaves its old holder without the lock; who took it is in the details', async ({ saved, ada, bob }) => {
    setHeartbeatBack(saved, 2 * DAY);
    await bob.ok(['lock', 'acquire']);

    const error = await ada.fails(['snapshot'], 'E_LOCK_NOT_HELD');

    expect(JSON.stringify(error.details)).toContain('bob');
    await bob.ok(['snapshot', 'by bob']);
  });

  test('cannot be judged when the heartbeat lies in the future', async ({ saved, bob }) => {
    setHeartbeatBack(saved, -2 * DAY);

    await bob.fails(['lock', 'acquire'], 'E_CLOCK_SKEW_EXCEEDED');

    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('is also proven by two looks, of two commands, at the same heartbeat', async ({ repo, ada, bob }) => {
    await ada.ok(['lock', 'acquire', '--lease-ms', '1000']);
    setHeartbeatBack(repo, -DAY);
    await bob.fails(['lock', 'acquire'], 'E_CLOCK_SKEW_EXCEEDED');
    await delay(1000 + 2000 + 1000 + 200);

    await bob.ok(['lock', 'acquire']);

    expect(lockOf(repo)).toMatchObject({ session_id: 'bob', fencing_token: 3 });
  });

  test('is also proven by watching the same heartbeat long enough', async ({ repo, ada, bob }) => {
    await ada.ok(['lock', 'acquire', '--lease-ms', '1000']);
    setHeartbeatBack(repo, -DAY);

    await bob.ok(['lock', 'acquire', '--wait', '15000'], { timeoutMs: 20_000 });

    expect(lockOf(repo)).toMatchObject({ session_id: 'bob', fencing_token: 3 });
  });
});
