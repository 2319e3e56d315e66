import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';

import {
  auditRecords,
  newUser,
  readJson,
  slot,
  stateLog,
  stateRecords,
  test,
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
