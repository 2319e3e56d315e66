import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

import { auditRecords, readJson } from '@jvs/testkit';
import { describe } from 'vitest';

import { test } from './aged-repository.ts';
import { sha256 } from './canonical.ts';

interface Pin {
  pin_id: string;
  snapshot_id: string;
  reason: string;
  expires_at: string | null;
  event_id: string;
  expired?: boolean;
}

describe.concurrent('a pin', () => {
  test('is a file that a record vouches for, and goes with another', async ({ saved, ada, expect }) => {
    const pin = await ada.json<Pin>(['gc', 'pin', 'HEAD', '--reason', 'audit', '--until', '2030-01-02T03:04:05Z']);

    const path = `${saved.control}/gc/pins/${pin.pin_id}.json`;
    expect(Object.keys(readJson<Pin>(path))).toEqual([
      'pin_id',
      'snapshot_id',
      'reason',
      'created_at',
      'expires_at',
      'event_id',
    ]);
    expect(pin).toMatchObject({ snapshot_id: saved.id, reason: 'audit', expires_at: '2030-01-02T03:04:05.000Z' });
    expect(auditRecords(saved).at(-1)).toMatchObject({
      operation: 'gc_pin',
      event_id: pin.event_id,
      snapshot_id: saved.id,
      details: { object_sha256: sha256(readFileSync(path)) },
    });
    expect(await ada.ok(['gc', 'pin', '--list'])).toContain(pin.pin_id);

    expect(await ada.ok(['gc', 'unpin', pin.pin_id])).toBe(`Unpinned ${pin.pin_id}\n`);
    expect(readdirSync(`${saved.control}/gc/pins`)).toEqual([]);
    expect(auditRecords(saved).at(-1)).toMatchObject({ operation: 'gc_unpin', target: pin.pin_id });
    await ada.fails(['gc', 'unpin', pin.pin_id], 'E_NOT_FOUND');
    await ada.ok(['audit', 'verify']);
  });

  test('whose time is over is shown as such, and protects nothing', async ({ aged: { repo, user, side }, expect }) => {
    const pin = await user.json<Pin>(['gc', 'pin', side[2] ?? '']);
    expect(pin.expires_at).toBeNull();
    const path = `${repo.control}/gc/pins/${pin.pin_id}.json`;
    writeFileSync(path, JSON.stringify({ ...pin, expires_at: '2026-01-01T00:00:00.000Z' }));

    expect(await user.json<Pin[]>(['gc', 'pin', '--list'])).toMatchObject([{ pin_id: pin.pin_id, expired: true }]);
    expect(await user.json<{ protected_by_pin: number }>(['gc', 'plan'])).toMatchObject({ protected_by_pin: 0 });
  });

  test('wants a snapshot, and a time that is to come', async ({ repo, ada, expect }) => {
    for (const args of [[], ['HEAD', '--until', 'soon'], ['HEAD', '--until', '2020-01-01'], ['HEAD', '--list']]) {
      expect((await ada.run(['gc', 'pin', ...args])).exitCode).toBe(2);
    }
    expect(readdirSync(`${repo.control}/gc/pins`)).toEqual([]);
  });
});
