import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { readBootId } from '@jvs/platform/filesystem';
import { describe, expect } from 'vitest';
import { acquireLock } from '../src/acquire-lock.ts';
import { lockStatus } from '../src/lock-status.ts';
import { findEvidence } from '../src/take-over.ts';
import { LOCK } from './fixtures/vectors.ts';
import { GRACE, LEASE, makeWorld, SECOND, SKEW, test, type World } from './fixtures/world.ts';

const PATIENCE = LEASE + SKEW + GRACE;

async function evidence(world: World, person = 'bob') {
  const record = await world.state();
  if (record.lock === null) throw new Error('the lock is free');
  return findEvidence(world.as(person), record, record.lock);
}

describe('evidence A, by the clock', () => {
  test.for([
    ['a live lease', -LEASE + 10 * SECOND, null],
    ['a lease just over', SECOND, null],
    ['a lease over for less than skew and grace', SKEW, null],
    ['a lease over for more', SKEW + GRACE + SECOND, 'clock'],
  ] as const)('%s gives %s', async ([, over, expected], { world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + over);

    expect(await evidence(world)).toMatchObject({ evidence: expected });
  });

  test.for([
    ['ahead', SKEW + SECOND],
    ['behind', -SKEW - SECOND],
  ] as const)(
    'is inadmissible when this machine\u2019s clock is %s of the filesystem\u2019s',
    async ([, offset], { world }) => {
      await acquireLock(world.as('ada'));
      await world.age(PATIENCE + 60 * SECOND);
      world.wallOffsetMs = offset;

      const found = await evidence(world);

      expect(found).toMatchObject({
        evidence: null,
        skew: { code: 'E_CLOCK_SKEW_EXCEEDED', details: { max_clock_skew_ms: SKEW } },
      });
      await expect(acquireLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_CLOCK_SKEW_EXCEEDED' });
      expect(await world.kinds()).toEqual(['create', 'acquire']);
    },
  );

  test('is not spoilt by a probe that took long', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(PATIENCE + 60 * SECOND);
    let looks = 0;
    const bob = world.as('bob');
    // Frozen for a minute between the two looks at the clock, with the probe in between.
    const clock = { ...bob.clock, now: () => Date.now() + 60 * SECOND * looks++ };
    const record = await world.state();
    if (record.lock === null) throw new Error('the lock is free');

    expect(await findEvidence({ ...bob, clock }, record, record.lock)).toEqual({ evidence: 'clock' });
  });

  test('stands while the clocks are as close as the lock allows', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(PATIENCE + 60 * SECOND);
    world.wallOffsetMs = SKEW - SECOND;

    expect(await evidence(world)).toEqual({ evidence: 'clock' });
  });

  test('is inadmissible when the heartbeat lies in the future', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(-SKEW - 5 * SECOND);

    await expect(acquireLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_CLOCK_SKEW_EXCEEDED' });
  });

  test('from another kernel counts where one clock stamps all files', async ({ world }) => {
    await world.writeNext({ kind: 'acquire', lock: { ...LOCK, boot_id: 'another kernel' } });
    await world.age(PATIENCE + SECOND);

    expect(await evidence(world)).toEqual({ evidence: 'clock' });
  });
});

/** ramfs, which this product does not know, so that it must take it for a network filesystem. */
const canMountRamfs = tryRamfs();

function tryRamfs(): boolean {
  const dir = mkdtempSync(`${tmpdir()}/jvs-ramfs-`);
  try {
    execFileSync('mount', ['-t', 'ramfs', 'none', dir], { stdio: 'ignore' });
    execFileSync('umount', [dir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const networkTest = test.extend<{ network: World }>({
  network: async ({ dir }, use) => {
    mkdirSync(`${dir}/net`);
    execFileSync('mount', ['-t', 'ramfs', 'none', `${dir}/net`]);
    try {
      await use(makeWorld(`${dir}/net`));
    } finally {
      execFileSync('umount', [`${dir}/net`]);
    }
  },
});

describe.runIf(canMountRamfs)('on a filesystem that other hosts may write to', () => {
  networkTest('the clock of a holder on another kernel proves nothing', async ({ network: world }) => {
    await world.writeNext({ kind: 'acquire', lock: { ...LOCK, boot_id: 'another kernel' } });
    await world.age(PATIENCE + 60 * SECOND);

    expect(await evidence(world)).toMatchObject({ evidence: null });
    await expect(acquireLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_LOCK_CONFLICT' });
    expect(await lockStatus(world.as('bob'))).toMatchObject({ state: 'expired' });
  });

  networkTest('nor does it matter that our clock differs', async ({ network: world }) => {
    await world.writeNext({ kind: 'acquire', lock: { ...LOCK, boot_id: 'another kernel' } });
    await world.age(PATIENCE + 60 * SECOND);
    world.wallOffsetMs = 3_600_000;

    expect(await evidence(world)).toMatchObject({ evidence: null, skew: undefined });
    await expect(acquireLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_LOCK_CONFLICT' });
  });

  networkTest('the clock of a holder on our own kernel does', async ({ network: world }) => {
    await world.writeNext({ kind: 'acquire', lock: { ...LOCK, boot_id: await readBootId() } });
    await world.age(PATIENCE + 60 * SECOND);

    expect(await evidence(world)).toEqual({ evidence: 'clock' });
  });

  networkTest('observation ends it', async ({ network: world }) => {
    await world.writeNext({ kind: 'acquire', lock: { ...LOCK, boot_id: 'another kernel' } });
    await world.age(PATIENCE + 60 * SECOND);
    await evidence(world);
    world.patience.advance(PATIENCE);

    expect(await lockStatus(world.as('bob'))).toMatchObject({ state: 'stealable' });
    expect(await lockStatus(world.as('carl'))).toMatchObject({ state: 'expired' });
    expect((await acquireLock(world.as('bob'))).record).toMatchObject({ kind: 'steal', seq: 3 });
  });
});

describe('evidence B, by observation', () => {
  test('is the same heartbeat for lease, skew and grace, over any number of calls', async ({ world }) => {
    await acquireLock(world.as('ada'));
    expect(await evidence(world)).toMatchObject({ evidence: null });
    world.patience.advance(PATIENCE / 2);
    expect(await evidence(world)).toMatchObject({ evidence: null });
    world.patience.advance(PATIENCE / 2 - 1);
    expect(await evidence(world)).toMatchObject({ evidence: null });
    world.patience.advance(1);

    expect(await evidence(world)).toEqual({ evidence: 'observation' });
    expect((await acquireLock(world.as('bob'))).record).toMatchObject({ kind: 'steal' });
  });

  test('ends a lock whose heartbeat lies in the future', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(-24 * 3600 * SECOND);
    await expect(acquireLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_CLOCK_SKEW_EXCEEDED' });
    world.patience.advance(PATIENCE);

    expect((await acquireLock(world.as('bob'))).record).toMatchObject({ kind: 'steal' });
  });

  test('counts whatever the wall clock says', async ({ world }) => {
    await acquireLock(world.as('ada'));
    world.wallOffsetMs = 3_600_000;
    await evidence(world);
    world.patience.advance(PATIENCE);

    expect(await evidence(world)).toEqual({ evidence: 'observation' });
  });

  test('starts again with every sign of life', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await evidence(world);
    world.patience.advance(PATIENCE - 1);
    await world.age(-1500);
    expect(await evidence(world)).toMatchObject({ evidence: null });
    world.patience.advance(PATIENCE - 1);

    expect(await evidence(world)).toMatchObject({ evidence: null });
    world.patience.advance(1);
    expect(await evidence(world)).toEqual({ evidence: 'observation' });
  });

  test('starts again with every record', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await evidence(world);
    world.patience.advance(PATIENCE);
    const { mtimeMs } = statSync(world.log.slotPath(2));
    await world.writeNext({ kind: 'head' });
    await world.age(statSync(world.log.slotPath(3)).mtimeMs - mtimeMs);

    expect(await evidence(world)).toMatchObject({ evidence: null });
  });

  test('is each observer\u2019s own', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await evidence(world, 'bob');
    world.patience.advance(PATIENCE);

    expect(await evidence(world, 'carl')).toMatchObject({ evidence: null });
    expect(await evidence(world, 'bob')).toEqual({ evidence: 'observation' });
  });

  test('of an earlier boot of this machine counts for nothing', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await evidence(world);
    const path = `${world.dir}/home-bob/jvs/repo/observed-${(await world.state()).worktree_id}.json`;
    const sighting = JSON.parse(readFileSync(path, 'utf8')) as object;
    expect(sighting).toMatchObject({ boot_id: await readBootId() });
    writeFileSync(path, JSON.stringify({ ...sighting, boot_id: 'earlier' }));
    world.patience.advance(PATIENCE);

    expect(await evidence(world)).toMatchObject({ evidence: null });
  });

  test('that was damaged starts again', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await evidence(world);
    writeFileSync(`${world.dir}/home-bob/jvs/repo/observed-${(await world.state()).worktree_id}.json`, '{"seq":');
    world.patience.advance(PATIENCE);

    expect(await evidence(world)).toMatchObject({ evidence: null });
    world.patience.advance(PATIENCE);
    expect(await evidence(world)).toEqual({ evidence: 'observation' });
  });
});
