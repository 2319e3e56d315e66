import { readdirSync, writeFileSync } from 'node:fs';

import { auditRecords, setHeartbeatBack, stateRecords, test, type SavedRepository, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { categories, crash, expectRecovery, expectRepaired, snapshotIds, type Report } from './aftermath.ts';
import { ACTIONS, AFTER_COMMIT, BEFORE_COMMIT, DROP_STEPS } from './failpoints.ts';

const cross = (steps: string[]) => steps.flatMap((step) => ACTIONS.map((action) => [step, action] as const));

/** Lets a snapshot of a changed payload die or fail right after a step. */
async function crashSnapshot(saved: SavedRepository, ada: User, step: string, action: string): Promise<void> {
  writeFileSync(`${saved.main}/second.txt`, 'second\n');
  await crash(ada, ['snapshot', 'interrupted'], `publish:${step}`, action);
}

describe.concurrent('before the commit nothing is visible, and the next snapshot works', () => {
  test.for(cross(BEFORE_COMMIT))('publish:%s=%s', async ([step, action], { saved, ada, expect: check }) => {
    await crashSnapshot(saved, ada, step, action);

    check(await snapshotIds(ada)).toEqual([saved.id]);
    check(stateRecords(saved)).toHaveLength(3);
    check(auditRecords(saved)).toHaveLength(3);
    const complete = readdirSync(`${saved.control}/descriptors`).length === 2;
    const next = await expectRecovery(ada, [saved.id], complete ? ['unreachable'] : []);
    const kept = readdirSync(`${saved.control}/snapshots`).length;
    check(kept).toBe(complete ? 3 : 2);
    check(readdirSync(`${saved.control}/snapshots`)).toEqual(check.arrayContaining([saved.id, next]));
    check(readdirSync(`${saved.control}/manifests`)).toHaveLength(kept);
    check(readdirSync(`${saved.control}/intents`)).toHaveLength(complete ? 1 : 0);
    if (action !== 'kill' && step !== 'descriptor') check(complete).toBe(false);
  });
});

describe.concurrent('after the commit the snapshot stands', () => {
  test.for(cross(AFTER_COMMIT))('publish:%s=%s', async ([step, action], { saved, ada, expect: check }) => {
    await crashSnapshot(saved, ada, step, action);

    const visible = await snapshotIds(ada);
    check(visible).toHaveLength(2);
    check(visible[1]).toBe(saved.id);
    await expectRecovery(ada, visible);
    check(auditRecords(saved).filter(({ operation }) => operation === 'snapshot')).toHaveLength(3);
    check(readdirSync(`${saved.control}/intents`)).toEqual([]);
  });
});

describe.concurrent('what doctor finds after a kill, and what it repairs', () => {
  /** The crash table: the finding once the intent is dead, its repair, and what stays on purpose. */
  const table: [string[], string, string | null, string[]][] = [
    [BEFORE_COMMIT.slice(1, 8), 'orphan_intent', 'clean_intents', []],
    [['rename'], 'partial_publish', 'clean_intents', []],
    [['descriptor'], 'head_orphan', null, ['head_orphan']],
  ];
  const rows = table.flatMap(([steps, ...rest]) => steps.map((step) => [step, ...rest] as const));

  test.for(rows)('publish:%s: %s', async ([step, category, repair, stays], { saved, ada, expect: check }) => {
    await crashSnapshot(saved, ada, step, 'kill');

    check(await categories(ada, '--repair-runtime')).toEqual(['in_progress']);
    check(readdirSync(`${saved.control}/intents`)).toHaveLength(1);

    await ada.ok(['lock', 'release']);
    const dead = await ada.json<Report>(['doctor', ...(category === 'head_orphan' ? ['--strict'] : [])]);
    check(dead.findings).toMatchObject([{ category, severity: 'warning' }]);
    if (repair !== null) check(dead.findings[0]?.repair).toBe(repair);
    if (category === 'partial_publish') check(dead.findings[0]?.code).toBe('E_PARTIAL_SNAPSHOT');

    await expectRepaired(ada, stays);
    check(readdirSync(`${saved.control}/snapshots`)).toHaveLength(1 + stays.length);
  });

  test('publish:begin: nothing, since nothing was written', async ({ saved, ada, expect: check }) => {
    await crashSnapshot(saved, ada, 'begin', 'kill');

    check(await categories(ada, '--strict')).toEqual([]);
    check(readdirSync(`${saved.control}/intents`)).toEqual([]);
  });

  test('publish:commit: audit_missing', async ({ saved, ada, expect: check }) => {
    await crashSnapshot(saved, ada, 'commit', 'kill');

    check(await categories(ada, '--strict')).toContain('audit_missing');
    await ada.ok(['verify', '--all']);

    await expectRepaired(ada);
    const written = auditRecords(saved).filter(({ operation }) => operation === 'snapshot');
    check(written).toHaveLength(2);
    check(written[1]?.details['recovered']).toBe(true);
    check(await snapshotIds(ada)).toHaveLength(2);
  });

  test('publish:audit: a committed intent, which is unlinked', async ({ saved, ada, expect: check }) => {
    await crashSnapshot(saved, ada, 'audit', 'kill');
    await expectRepaired(ada);

    check(readdirSync(`${saved.control}/intents`)).toEqual([]);
  });

  test('a lock whose holder died with it is released once there is evidence', async ({
    saved,
    ada,
    bob,
    expect: check,
  }) => {
    await crashSnapshot(saved, ada, 'ready', 'kill');
    setHeartbeatBack(saved, 48 * 3600 * 1000);

    await expectRepaired(bob);

    check(stateRecords(saved).at(-1)).toMatchObject({ kind: 'release', head_snapshot_id: saved.id });
    check(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
  });
});

describe.concurrent('dropping a dead snapshot can be interrupted and finished by anybody', () => {
  const cases = DROP_STEPS.flatMap((step) => ['clone', 'rename'].map((crashed) => [step, crashed] as const));

  test.for(cases)('publish:%s after a crash at %s', async ([step, crashed], { saved, ada, bob, expect: check }) => {
    await crashSnapshot(saved, ada, crashed, 'kill');
    await ada.ok(['lock', 'release']);
    await crash(ada, ['doctor', '--repair-runtime'], `publish:${step}`, 'kill');

    check(readdirSync(`${saved.control}/intents`).filter((name) => name.endsWith('.drop'))).toHaveLength(1);
    const { findings } = await bob.json<Report>(['doctor']);
    check(findings).toMatchObject([{ category: 'partial_publish', severity: 'warning', repair: 'clean_intents' }]);
    check(await snapshotIds(bob)).toEqual([saved.id]);

    await expectRepaired(bob);
    check(readdirSync(`${saved.control}/intents`)).toEqual([]);
    check(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
    check(readdirSync(`${saved.control}/manifests`)).toEqual([`${saved.id}.manifest`]);
  });
});

test('an exit without clean-up is a crash like any other', async ({ saved, ada }) => {
  const result = await ada.run(['snapshot'], { env: { JVS_FAILPOINT: 'publish:ready=exit' } });

  expect(result.exitCode).not.toBe(0);
  expect(await snapshotIds(ada)).toEqual([saved.id]);
  await expectRecovery(ada, [saved.id]);
});
