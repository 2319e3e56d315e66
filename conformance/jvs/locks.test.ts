import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import {
  auditRecords,
  newUser,
  readJson,
  setHeartbeatBack,
  slot,
  stateLog,
  stateRecords,
  test,
  type Descriptor,
  type Lock,
  type RepositoryFiles,
  type User,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { sha256 } from './canonical.ts';

const DAY = 24 * 3600 * 1000;

interface LockStatus {
  state: string;
  mine: boolean;
  expires_at: string | null;
  lock: Lock | null;
}

const lockOf = (repo: RepositoryFiles) => stateRecords(repo).at(-1)?.lock ?? undefined;

function credentialsFolder(repo: RepositoryFiles, user: User): string {
  return `${user.home}/state/jvs/${readFileSync(`${repo.control}/repo_id`, 'utf8').trim()}`;
}

describe('acquire', () => {
  test('appends a record whose number is the fencing token', async ({ repo, ada }) => {
    const { lock } = await ada.json<{ lock: Lock }>(['lock', 'acquire', '--purpose', 'nightly run']);

    const record = stateRecords(repo).at(-1);
    expect(record).toMatchObject({ seq: 2, kind: 'acquire', head_snapshot_id: null, pending: null });
    expect(record?.lock).toMatchObject({
      fencing_token: 2,
      acquire_seq: 1,
      purpose: 'nightly run',
      lease_duration_ms: 300_000,
      renew_interval_ms: 10_000,
      max_clock_skew_ms: 2000,
      steal_grace_ms: 1000,
    });
    expect(lock.fencing_token).toBe(2);
    expect(lock.lock_id).toBe(record?.lock?.lock_id);
  });

  test('of a locked worktree is E_LOCK_CONFLICT, which says who holds it', async ({ saved, bob }) => {
    const error = await bob.fails(['lock', 'acquire'], 'E_LOCK_CONFLICT');

    expect(JSON.stringify([error.message, error.details])).toContain(lockOf(saved)?.session_id);
    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('is not re-entrant', async ({ saved, ada }) => {
    await ada.fails(['lock', 'acquire'], 'E_LOCK_CONFLICT');

    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('by eight at once has one winner', async ({ dir, repo }) => {
    const users = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => newUser(dir, `user-${n}`, { JVS_SESSION: `session-${n}` }));

    const results = await Promise.all(users.map(async (user) => user.at(repo.main).run(['lock', 'acquire'])));

    expect(results.filter(({ exitCode }) => exitCode === 0)).toHaveLength(1);
    expect(results.filter(({ stderr }) => stderr.includes('E_LOCK_CONFLICT'))).toHaveLength(7);
    expect(stateRecords(repo)).toHaveLength(2);
  });

  test('--wait takes the lock once it is free', async ({ saved, ada, bob }) => {
    const waiting = bob.start(['lock', 'acquire', '--wait', '20000']);
    await ada.ok(['lock', 'release']);

    expect((await waiting.result).exitCode).toBe(0);
    expect(lockOf(saved)?.session_id).toBe('bob');
  });

  test.for(['999', '86400001', 'soon'])('--lease-ms %s is a usage error', async (lease, { repo, ada }) => {
    const result = await ada.run(['lock', 'acquire', '--lease-ms', lease]);

    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(stateRecords(repo)).toHaveLength(1);
  });

  test('renews at a third of a short lease', async ({ repo, ada }) => {
    await ada.ok(['lock', 'acquire', '--lease-ms', '3000']);

    expect(lockOf(repo)).toMatchObject({ lease_duration_ms: 3000, renew_interval_ms: 1000 });
  });

  test('refuses a session id with control characters', async ({ repo, ada }) => {
    const result = await ada.run(['lock', 'acquire', '--session', 'a\nb']);

    expect([1, 2]).toContain(result.exitCode);
    expect(stateRecords(repo)).toHaveLength(1);
  });
});

describe('credentials', () => {
  test('lie in the state home for the owner alone; the repository holds the hash', async ({ repo, ada }) => {
    await ada.ok(['lock', 'acquire']);

    const folder = credentialsFolder(repo, ada);
    const { lock_id = '', session_id } = lockOf(repo) ?? {};
    const path = `${folder}/${lock_id}.json`;
    const credentials = readJson<Record<string, unknown>>(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(credentials).toMatchObject({ session_id, fencing_token: 2 });
    expect(Object.keys(credentials)).toEqual(
      expect.arrayContaining(['nonce', 'session_id', 'worktree_id', 'fencing_token']),
    );
    const line = readFileSync(slot(stateLog(repo), 2), 'utf8');
    expect(line).toContain(`"holder_nonce_hash":"${sha256(String(credentials['nonce']))}"`);
  });

  test('go with the lock', async ({ saved, ada }) => {
    await ada.ok(['lock', 'release']);

    expect(readdirSync(credentialsFolder(saved, ada)).filter((name) => name.endsWith('.json'))).toEqual([]);
  });

  test('that were superseded go with the next acquire', async ({ saved, ada, bob }) => {
    const old = lockOf(saved)?.lock_id;
    await bob.ok(['lock', 'release', '--force', '--reason', 'ada is away']);

    await ada.ok(['lock', 'acquire']);

    expect(existsSync(`${credentialsFolder(saved, ada)}/${old}.json`)).toBe(false);
  });

  test('that cannot be written are E_IO, with the hint to set XDG_STATE_HOME', async ({ dir, repo, ada }) => {
    writeFileSync(`${dir}/a-file`, '');

    const error = await ada.with({ XDG_STATE_HOME: `${dir}/a-file` }).fails(['lock', 'acquire'], 'E_IO');

    expect(error.hint).toContain('XDG_STATE_HOME');
    expect(stateRecords(repo)).toHaveLength(1);
  });

  test('without any home are E_IO, with the same hint', async ({ repo, ada }) => {
    const homeless = ada.with({ HOME: undefined, XDG_STATE_HOME: undefined, XDG_CACHE_HOME: undefined });

    const error = await homeless.fails(['lock', 'acquire'], 'E_IO');

    expect(error.hint).toContain('XDG_STATE_HOME');
    expect(stateRecords(repo)).toHaveLength(1);
  });
});

describe('only the holder writes', () => {
  test('a snapshot without a lock is E_LOCK_NOT_HELD', async ({ repo, ada }) => {
    const error = await ada.fails(['snapshot'], 'E_LOCK_NOT_HELD');

    expect(error.hint).toContain('lock acquire');
    expect(stateRecords(repo)).toHaveLength(1);
  });

  test('another home is excluded', async ({ saved, ada, bob }) => {
    const stranger = bob.with({ JVS_SESSION: undefined });
    const error = await stranger.fails(['snapshot'], 'E_LOCK_NOT_HELD');

    expect(JSON.stringify(error.details)).toContain(lockOf(saved)?.holder_id);
    expect(await stranger.json(['lock', 'status'])).toMatchObject({ state: 'held', mine: false });
    expect(await ada.json(['lock', 'status'])).toMatchObject({ state: 'held', mine: true });
  });

  test('another session of the same home is excluded', async ({ saved, ada }) => {
    await ada.with({ JVS_SESSION: 'other' }).fails(['snapshot'], 'E_LOCK_NOT_HELD');
    await ada.with({ JVS_SESSION: 'other' }).fails(['lock', 'renew'], 'E_LOCK_NOT_HELD');
    await ada.with({ JVS_SESSION: 'other' }).fails(['lock', 'release'], 'E_LOCK_NOT_HELD');

    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('a session is what JVS_SESSION or --session says', async ({ repo, ada }) => {
    await ada.ok(['lock', 'acquire', '--session', 'ci']);

    expect(lockOf(repo)?.session_id).toBe('ci');
    await ada.fails(['snapshot'], 'E_LOCK_NOT_HELD');
    await ada.with({ JVS_SESSION: 'ci' }).ok(['snapshot']);
  });

  test('JVS_FENCING_TOKEN must be the current token', async ({ saved, ada }) => {
    await ada.with({ JVS_FENCING_TOKEN: '1' }).fails(['snapshot'], 'E_FENCING_MISMATCH');
    expect(stateRecords(saved)).toHaveLength(3);

    await ada.with({ JVS_FENCING_TOKEN: '2' }).ok(['snapshot']);
    expect(stateRecords(saved)).toHaveLength(4);
  });

  test('every append by the holder keeps the lock and its token', async ({ saved, ada }) => {
    await ada.ok(['snapshot', 'second']);
    await ada.ok(['snapshot', 'third']);

    expect(stateRecords(saved).at(-1)).toMatchObject({ seq: 5, kind: 'head', lock: { fencing_token: 2 } });
  });
});

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

describe('release', () => {
  test('leaves the head and takes the lock', async ({ saved, ada }) => {
    const out = await ada.ok(['lock', 'release']);

    expect(out).toContain("Lock released on worktree 'main'");
    expect(stateRecords(saved).at(-1)).toMatchObject({ kind: 'release', lock: null, head_snapshot_id: saved.id });
  });

  test('of a free lock succeeds and writes nothing', async ({ repo, ada }) => {
    expect(await ada.ok(['lock', 'release'])).toContain("Lock released on worktree 'main'");
    expect(stateRecords(repo)).toHaveLength(1);
  });

  test('by anyone else needs --force and a --reason', async ({ saved, bob }) => {
    await bob.fails(['lock', 'release'], 'E_LOCK_NOT_HELD');
    expect((await bob.run(['lock', 'release', '--force'])).exitCode).toBe(2);
    expect(stateRecords(saved)).toHaveLength(3);

    await bob.ok(['lock', 'release', '--force', '--reason', 'ada is away']);
    expect(stateRecords(saved).at(-1)).toMatchObject({ kind: 'release', lock: null, reason: 'ada is away' });
    expect(auditRecords(saved).at(-1)).toMatchObject({ operation: 'lock_release', reason: 'ada is away' });
  });

  test('makes the next token larger than every one before', async ({ saved, ada, bob }) => {
    await ada.ok(['lock', 'release']);
    await bob.ok(['lock', 'acquire']);

    expect(lockOf(saved)).toMatchObject({ fencing_token: 5, acquire_seq: 2 });
  });
});

describe('status', () => {
  test('of a free lock', async ({ repo, ada }) => {
    expect(await ada.json(['lock', 'status'])).toMatchObject({ state: 'free', lock: null, mine: false });
    expect(await ada.ok(['lock', 'status'])).toMatch(/^Worktree: main\nLock state: free$/m);
    expect(stateRecords(repo)).toHaveLength(1);
  });

  test('of a held lock tells holder, token and expiry, never the hash of the nonce', async ({ saved, ada }) => {
    const status = await ada.json<LockStatus>(['lock', 'status']);

    expect(status).toMatchObject({ state: 'held', mine: true, lock: { fencing_token: 2 } });
    expect(Object.keys(status.lock ?? {})).not.toContain('holder_nonce_hash');
    const heartbeat = statSync(slot(stateLog(saved), 3)).mtimeMs;
    expect(Math.abs(Date.parse(status.expires_at ?? '') - (heartbeat + DAY))).toBeLessThan(10);
    const human = await ada.ok(['lock', 'status']);
    expect(human).toMatch(/^Worktree: main\nLock state: held$/m);
    expect(human).toContain(lockOf(saved)?.session_id);
  });

  test('of another worktree by --worktree', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'second']);

    const status = await ada.at(saved.root).json(['lock', 'status', '--worktree', 'second']);

    expect(status).toMatchObject({ state: 'free' });
  });
});
