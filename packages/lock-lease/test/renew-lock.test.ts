import { readFileSync, statSync } from 'node:fs';
import { describe, expect, onTestFinished } from 'vitest';
import { acquireLock } from '../src/acquire-lock.ts';
import { filesystemNow } from '../src/lease-clock.ts';
import { lockStatus } from '../src/lock-status.ts';
import { releaseLock } from '../src/release-lock.ts';
import { keepLock, renewLock, type KeptLock } from '../src/renew-lock.ts';
import { GRACE, LEASE, SECOND, SKEW, test, type World } from './fixtures/world.ts';

describe('renewing', () => {
  test('starts the lease anew by touching the record, and writes none', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE - 10 * SECOND);
    const before = readFileSync(world.log.slotPath(2));

    const { leaseEndMs } = await renewLock(world.as('ada'));

    const now = (await filesystemNow(world.as('ada'))) ?? 0;
    expect(Math.abs(leaseEndMs - now - LEASE)).toBeLessThan(2 * SECOND);
    expect(Math.abs(statSync(world.log.slotPath(2)).mtimeMs - (leaseEndMs - LEASE))).toBeLessThan(1);
    expect(readFileSync(world.log.slotPath(2))).toEqual(before);
    expect(await world.kinds()).toEqual(['create', 'acquire']);
  });

  test('does not bring back a lease that is over', async ({ world }) => {
    await acquireLock(world.as('ada'));
    await world.age(LEASE + SECOND);

    await expect(renewLock(world.as('ada'))).rejects.toMatchObject({
      code: 'E_LOCK_EXPIRED',
      details: { fencing_token: 2 },
    });
    expect(await lockStatus(world.as('ada'))).toMatchObject({ state: 'expired', mine: true });
  });

  test('is for the holder', async ({ world }) => {
    await expect(renewLock(world.as('ada'))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    await acquireLock(world.as('ada'));

    await expect(renewLock(world.as('bob'))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    await expect(renewLock(world.as('ada', { session: 'other' }))).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    await expect(renewLock(world.as('ada', { token: 1 }))).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH' });
    await expect(renewLock(world.as('ada', { token: 2 }))).resolves.toMatchObject({ lock: { fencing_token: 2 } });
  });
});

/** Ada's lock of one second, which is renewed every 333 ms, kept in the background. */
async function keep(world: World): Promise<KeptLock> {
  const kept = keepLock(world.as('ada'), await acquireLock(world.as('ada'), { leaseDurationMs: 1000 }));
  onTestFinished(() => kept.stop());
  return kept;
}

async function aborted(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return signal.reason;
}

describe('a lock kept in the background', () => {
  test('outlives its lease while it is renewed, and ends after it is stopped', async ({ world }) => {
    const kept = await keep(world);

    await new Promise((resolve) => setTimeout(resolve, 1500));

    expect(kept.lost.aborted).toBe(false);
    await expect(kept.check()).resolves.toMatchObject({ lock: { fencing_token: 2 } });
    expect(await lockStatus(world.as('bob'))).toMatchObject({ state: 'held' });

    kept.stop();
    await world.age(1100);
    await expect(kept.check()).rejects.toMatchObject({ code: 'E_LOCK_EXPIRED' });
  });

  test('is lost when another took it, and the operation is told', async ({ world }) => {
    const kept = await keep(world);
    await world.age(1000 + SKEW + GRACE + SECOND);
    await acquireLock(world.as('bob'));

    await expect(kept.check()).rejects.toMatchObject({
      code: 'E_FENCING_MISMATCH',
      details: { our_token: 2, current_token: 3 },
    });
    expect(await aborted(kept.lost)).toMatchObject({ code: 'E_FENCING_MISMATCH' });
    await expect(kept.check()).rejects.toMatchObject({ code: 'E_FENCING_MISMATCH' });
  });

  test('is lost when its lease ran out between two renewals', async ({ world }) => {
    const kept = await keep(world);
    await world.age(5 * SECOND);

    expect(await aborted(kept.lost)).toMatchObject({ code: 'E_LOCK_EXPIRED' });
    expect(await lockStatus(world.as('bob'))).toMatchObject({ state: 'stealable' });
  });

  test('is lost when it was released by force', async ({ world }) => {
    const kept = await keep(world);
    await releaseLock(world.as('bob'), { force: true, reason: 'needed' });

    expect(await aborted(kept.lost)).toMatchObject({ code: 'E_FENCING_MISMATCH', details: { current_token: null } });
  });

  test('is lost when a renewal has not come back by the end of the lease', async ({ world }) => {
    const ada = world.as('ada');
    const held = await acquireLock(ada, { leaseDurationMs: 1000 });
    const hanging = { ...ada, log: { ...ada.log, tip: async () => new Promise<never>(() => {}) } };
    const kept = keepLock(hanging, held);
    onTestFinished(() => kept.stop());

    expect(await aborted(kept.lost)).toMatchObject({ code: 'E_LOCK_EXPIRED' });
  });

  test('is not lost any more once it was given up', async ({ world }) => {
    const kept = await keep(world);
    kept.stop();
    await world.age(5 * SECOND);
    await new Promise((resolve) => setTimeout(resolve, 1200));

    expect(kept.lost.aborted).toBe(false);
  });
});
