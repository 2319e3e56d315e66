import { readdirSync, writeFileSync } from 'node:fs';

import { auditRecords, stateRecords, test, type Descriptor, type SavedRepository, type User } from '@jvs/testkit';
import { describe } from 'vitest';

import { categories, crash, expectRepaired, snapshotIds } from './aftermath.ts';
import { ADOPT_STEPS } from './failpoints.ts';

const cases = ADOPT_STEPS.flatMap((step) => ['kill', 'error:EIO'].map((action) => [step, action] as const));

/** Leaves a complete snapshot that was never committed, and a free lock. Returns its id. */
async function leaveOrphan(saved: SavedRepository, ada: User): Promise<string> {
  writeFileSync(`${saved.main}/second.txt`, 'second\n');
  await crash(ada, ['snapshot', 'orphaned'], 'publish:descriptor', 'kill');
  await ada.ok(['lock', 'release']);
  const orphan = readdirSync(`${saved.control}/snapshots`).find((name) => name !== saved.id);
  if (orphan === undefined) throw new Error('No orphan was left');
  return orphan;
}

describe.concurrent('a complete snapshot that was never committed', () => {
  test('is taken over by advance_head', async ({ saved, ada, bob, expect }) => {
    const orphan = await leaveOrphan(saved, ada);

    await bob.ok(['doctor', '--repair', 'advance_head']);

    expect(await snapshotIds(ada)).toEqual([orphan, saved.id]);
    expect(stateRecords(saved).map(({ kind }) => kind)).toContain('adopt');
    expect(readdirSync(`${saved.control}/intents`)).toEqual([]);
    expect(await categories(ada, '--strict')).toEqual([]);
  });

  test('is removed by drop_orphan', async ({ saved, ada, bob, expect }) => {
    await leaveOrphan(saved, ada);

    await bob.ok(['doctor', '--repair', 'drop_orphan']);

    expect(await snapshotIds(ada)).toEqual([saved.id]);
    for (const folder of ['snapshots', 'descriptors', 'manifests']) {
      expect(readdirSync(`${saved.control}/${folder}`)).toHaveLength(1);
    }
    expect(readdirSync(`${saved.control}/intents`)).toEqual([]);
    expect(await categories(ada, '--strict')).toEqual([]);
  });

  test('is not taken over when its contents were edited', async ({ saved, ada, expect }) => {
    const orphan = await leaveOrphan(saved, ada);
    writeFileSync(`${saved.control}/snapshots/${orphan}/second.txt`, 'forged\n');

    const result = await ada.run(['doctor', '--repair', 'advance_head']);

    expect(result.exitCode).toBe(1);
    expect(await snapshotIds(ada)).toEqual([saved.id]);
  });

  test('is never taken over by --repair-runtime, nor over a newer head', async ({ saved, ada, expect }) => {
    const orphan = await leaveOrphan(saved, ada);
    await ada.ok(['doctor', '--repair-runtime']);
    expect(await snapshotIds(ada)).toEqual([saved.id]);

    await ada.ok(['lock', 'acquire']);
    const newer = await ada.json<Descriptor>(['snapshot', 'newer']);
    await ada.ok(['lock', 'release']);
    await ada.run(['doctor', '--repair', 'advance_head']);

    expect(await snapshotIds(ada)).toEqual([newer.snapshot_id, saved.id]);
    expect(readdirSync(`${saved.control}/snapshots`)).toContain(orphan);
  });
});

describe.concurrent('advance_head that dies or fails at any step', () => {
  test.for(cases)('adopt:%s=%s', async ([step, action], { saved, ada, expect }) => {
    const orphan = await leaveOrphan(saved, ada);
    await crash(ada, ['doctor', '--repair', 'advance_head'], `adopt:${step}`, action);

    await ada.ok(['lock', 'release']);
    await ada.ok(['doctor', '--repair-runtime']);
    const decided = step === 'append' || step === 'audit';
    expect(await snapshotIds(ada)).toEqual(decided ? [orphan, saved.id] : [saved.id]);
    if (!decided) await ada.ok(['doctor', '--repair', 'advance_head']);

    expect(stateRecords(saved).at(-1)?.head_snapshot_id).toBe(orphan);
    await expectRepaired(ada);
    const events = auditRecords(saved).map(({ event_id }) => event_id);
    for (const { event_id } of stateRecords(saved)) expect(events).toContain(event_id);
  });
});
