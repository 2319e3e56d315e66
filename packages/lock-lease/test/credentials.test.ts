import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { afterEach, describe, expect } from 'vitest';
import { acquireLock } from '../src/acquire-lock.ts';
import { findOwnLock } from '../src/check-fencing.ts';
import { lockStatus } from '../src/lock-status.ts';
import { releaseLock } from '../src/release-lock.ts';
import { LOCK, NONCE, WORKTREE_ID } from './fixtures/vectors.ts';
import { GRACE, LEASE, readCredentials, SECOND, SKEW, test } from './fixtures/world.ts';

afterEach(disarmFailpoint);

describe('the holder\u2019s secret', () => {
  test('lies in a file of his own, for him alone', async ({ world }) => {
    const { lock } = await acquireLock(world.as('ada'));

    const directory = `${world.dir}/home-ada/jvs/repo`;
    expect(world.secrets('ada')).toEqual([`${lock.lock_id}.json`]);
    expect(statSync(directory).mode & 0o7777).toBe(0o700);
    expect(statSync(`${directory}/${lock.lock_id}.json`).mode & 0o7777).toBe(0o600);
    expect(readCredentials(world, 'ada', lock.lock_id)).toEqual({
      nonce: expect.stringMatching(/^[0-9a-f]{32}$/),
      session_id: 'ada@host',
      worktree_id: WORKTREE_ID,
      fencing_token: 2,
    });
  });

  test('is written before the record, so that nobody holds what he cannot release', async ({ world }) => {
    armFailpoint('lock:credentials', () => {
      throw new Error('killed here');
    });

    await expect(acquireLock(world.as('ada'))).rejects.toThrow('killed here');

    expect(world.secrets('ada')).toHaveLength(1);
    expect(await world.kinds()).toEqual(['create']);
  });

  test('is deleted at release', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await releaseLock(world.as('ada'));

    expect(world.secrets('ada')).toEqual([]);
  });

  test('of a lock that another released by force is deleted at the next acquire', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await releaseLock(world.as('bob'), { force: true, reason: 'ada is on holiday' });
    expect(world.secrets('ada')).toHaveLength(1);

    const { lock } = await acquireLock(world.as('ada'));

    expect(world.secrets('ada')).toEqual([`${lock.lock_id}.json`]);
  });

  test('left by an acquire that died is deleted at the next one', async ({ world }) => {
    armFailpoint('lock:credentials', () => {
      throw new Error('killed here');
    });
    await acquireLock(world.as('ada')).catch(() => {});
    disarmFailpoint();

    const { lock } = await acquireLock(world.as('ada'));

    expect(world.secrets('ada')).toEqual([`${lock.lock_id}.json`]);
  });

  test('of another worktree, or of an acquire that is under way, stays', async ({ world }) => {
    const directory = `${world.dir}/home-ada/jvs/repo`;
    mkdirSync(directory, { recursive: true });
    const secret = (lockId: string, worktreeId: string, token: number) => {
      const text = JSON.stringify({
        nonce: 'x',
        session_id: 'ada@host',
        worktree_id: worktreeId,
        fencing_token: token,
      });
      writeFileSync(`${directory}/${lockId}.json`, text);
    };
    const otherWorktree = '00000000-0000-4000-8000-0000000000b1';
    const underWay = '00000000-0000-4000-8000-0000000000b2';
    const superseded = '00000000-0000-4000-8000-0000000000b3';
    secret(otherWorktree, '00000000-0000-4000-8000-00000000000c', 1);
    secret(underWay, WORKTREE_ID, 3);
    secret(superseded, WORKTREE_ID, 1);

    const { lock } = await acquireLock(world.as('ada'));

    expect(world.secrets('ada').toSorted()).toEqual(
      [otherWorktree, underWay, lock.lock_id].map((id) => `${id}.json`).toSorted(),
    );
  });
});

describe('who is the holder', () => {
  test('he who knows the secret of the test vector, in its session', async ({ world }) => {
    await world.writeNext({ kind: 'acquire', lock: LOCK });
    const directory = `${world.dir}/home-ada/jvs/repo`;
    mkdirSync(directory, { recursive: true });
    const secret = { nonce: NONCE, session_id: LOCK.session_id, worktree_id: WORKTREE_ID, fencing_token: 2 };
    writeFileSync(`${directory}/${LOCK.lock_id}.json`, JSON.stringify(secret));

    expect(await lockStatus(world.as('ada', { session: 'ada@build7' }))).toMatchObject({ mine: true });
    expect(await lockStatus(world.as('ada'))).toMatchObject({ mine: false });
    expect(await lockStatus(world.as('bob', { session: 'ada@build7' }))).toMatchObject({ mine: false });

    writeFileSync(`${directory}/${LOCK.lock_id}.json`, JSON.stringify({ ...secret, nonce: 'jvs-test-nonce-0002' }));
    expect(await lockStatus(world.as('ada', { session: 'ada@build7' }))).toMatchObject({ mine: false });

    writeFileSync(`${directory}/${LOCK.lock_id}.json`, JSON.stringify({ ...secret, session_id: 'other' }));
    expect(await lockStatus(world.as('ada', { session: 'ada@build7' }))).toMatchObject({ mine: false });
  });

  test.for([
    ['empty', ''],
    ['no JSON', '{"nonce":'],
    ['something else', '[]'],
  ] as const)('not he whose secret is %s', async ([, text], { world }) => {
    const { lock } = await acquireLock(world.as('ada'));
    writeFileSync(`${world.dir}/home-ada/jvs/repo/${lock.lock_id}.json`, text);

    await expect(findOwnLock(world.as('ada'))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
  });

  test('not he who lost his state home', async ({ world }) => {
    await acquireLock(world.as('ada'));
    rmSync(`${world.dir}/home-ada`, { recursive: true });

    await expect(findOwnLock(world.as('ada'))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    await expect(releaseLock(world.as('ada'))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
  });
});

describe('a state home that cannot be used', () => {
  const unusable = { code: 'E_IO', hint: expect.stringContaining('XDG_STATE_HOME') };

  test('because there is none', async ({ world }) => {
    await expect(acquireLock(world.as('ada', { home: undefined }))).rejects.toMatchObject(unusable);
    expect(await world.kinds()).toEqual(['create']);
  });

  test('because a file is in its place', async ({ world }) => {
    writeFileSync(`${world.dir}/file`, '');

    await expect(acquireLock(world.as('ada', { home: `${world.dir}/file/jvs/repo` }))).rejects.toMatchObject({
      ...unusable,
      details: { errno: 'ENOTDIR' },
    });
    expect(await world.kinds()).toEqual(['create']);
  });

  test('when it is needed to observe a lock', async ({ world }) => {
    await acquireLock(world.as('ada'));
    writeFileSync(`${world.dir}/file`, '');

    await expect(acquireLock(world.as('bob', { home: `${world.dir}/file/jvs/repo` }))).rejects.toMatchObject(unusable);
  });

  test('one that others could read is closed to them', async ({ world }) => {
    const directory = `${world.dir}/home-ada/jvs/repo`;
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);

    await acquireLock(world.as('ada'));

    expect(statSync(directory).mode & 0o7777).toBe(0o700);
  });
});

describe('what cannot be tidied up fails nothing', () => {
  test('after acquiring', async ({ world }) => {
    mkdirSync(`${world.dir}/home-ada/jvs/repo/00000000-0000-4000-8000-00000000000f.json`, { recursive: true });

    await expect(acquireLock(world.as('ada'))).resolves.toMatchObject({ record: { kind: 'acquire' } });
  });

  test('after releasing', async ({ world }) => {
    const { lock } = await acquireLock(world.as('ada'));
    const ada = world.as('ada');
    const blocked = {
      ...ada,
      beforeAppend: async () => {
        rmSync(`${world.dir}/home-ada/jvs/repo/${lock.lock_id}.json`);
        mkdirSync(`${world.dir}/home-ada/jvs/repo/${lock.lock_id}.json`);
      },
    };

    await expect(releaseLock(blocked)).resolves.toMatchObject({ kind: 'release' });
  });
});

test('a stealer leaves nothing of his own behind when he loses', async ({ world }) => {
  await acquireLock(world.as('ada'));
  await world.age(LEASE + SKEW + GRACE + SECOND);
  const bob = world.as('bob');
  let isBeaten = false;
  const beaten = {
    ...bob,
    beforeAppend: async () => {
      if (!isBeaten) await acquireLock(world.as('carl'));
      isBeaten = true;
    },
  };

  await expect(acquireLock(beaten)).rejects.toMatchObject({
    code: 'E_LOCK_CONFLICT',
    details: { session_id: 'carl@host' },
  });
  expect(world.secrets('bob')).toEqual([]);
});
