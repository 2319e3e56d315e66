import { existsSync, readdirSync, rmSync, unlinkSync } from 'node:fs';

import { auditRecords } from '@jvs/testkit';
import { describe } from 'vitest';

import { categories, crash, expectRepaired, type Report } from './aftermath.ts';
import { runDirectories, test, wholeOrGone } from './aged-repository.ts';
import { GC_RUN_STEPS } from './failpoints.ts';

const run = (planId: string): string[] => ['gc', 'run', '--plan-id', planId];
const abandon = (planId: string): string[] => ['gc', 'run', '--abandon', planId];

/** A full disk is no failure as long as there is a reserve: conformance/jvs/gc-disk.test.ts. */
const cases = GC_RUN_STEPS.flatMap((step) => ['kill', 'error:EIO'].map((action) => [step, action] as const));

describe.concurrent('a run that dies or fails at any step is gone on with by running the plan again', () => {
  test.for(cases)('gc:%s=%s', async ([step, action], { aged, expect }) => {
    const { repo, planId, main, doomed, user, bob } = aged;
    await crash(user, run(planId), `gc:${step}`, action);
    for (const id of main) expect(wholeOrGone(repo, id)).toBe('whole');

    const result = await bob.json<{ deleted_count: number }>(run(planId));

    expect(result.deleted_count).toBe(3);
    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('gone');
    for (const id of main) expect(wholeOrGone(repo, id)).toBe('whole');
    expect(auditRecords(repo).filter(({ operation }) => operation === 'gc_done')).toHaveLength(1);
    expect(auditRecords(repo).at(-1)?.condemned_plan).toBeNull();
    expect(existsSync(`${repo.control}/gc/plans/${planId}.json`)).toBe(false);
    // Of a run that never announced itself a directory may be left, empty, for clean_tmp.
    if (step !== 'rundir') expect(runDirectories(repo)).toEqual([]);
    for (const name of runDirectories(repo)) expect(readdirSync(`${repo.control}/tmp/${name}`)).toEqual([]);
    await expectRepaired(user);
  });
});

describe.concurrent('a run that dies at any step can be abandoned: every snapshot is whole or gone', () => {
  test.for(GC_RUN_STEPS.slice(1, -1))('gc:%s', async (step, { aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    await crash(user, run(planId), `gc:${step}`, 'kill');

    const result = await bob.json<{ deleted_count: number; abandoned: boolean }>(abandon(planId));

    const gone = doomed.filter((id) => wholeOrGone(repo, id) === 'gone');
    expect(result).toMatchObject({ abandoned: true, deleted_count: gone.length });
    if (step === 'mark') expect(gone).toEqual([]);
    if (step === 'tree') expect(gone).toEqual(doomed);
    expect(auditRecords(repo).at(-1)).toMatchObject({
      operation: 'gc_done',
      target: planId,
      condemned_plan: null,
      details: { abandoned: true },
    });
    expect(runDirectories(repo)).toEqual([]);
    await expectRepaired(user);
    for (const id of doomed.filter((one) => !gone.includes(one))) await user.ok(['ref', 'create', `r-${id}`, id]);
  });
});

describe.concurrent('while a plan is not finished', () => {
  test('doctor says what to type; everything else is sound, and its snapshots cannot be named', async ({
    aged,
    expect,
  }) => {
    const { planId, doomed, main, user, bob } = aged;
    await crash(user, run(planId), 'gc:move', 'kill');

    const report = await bob.json<Report & { findings: { description: string }[] }>(['doctor', '--strict']);
    expect(report.healthy).toBe(true);
    expect(report.findings).toMatchObject([{ category: 'gc_unfinished', severity: 'warning', repair: null }]);
    expect(report.findings[0]?.description).toContain(`jvs gc run --plan-id ${planId}`);
    expect(report.findings[0]?.description).toContain(`jvs gc run --abandon ${planId}`);
    await bob.ok(['verify', '--all']);
    expect(await categories(bob, '--repair-runtime')).toEqual(['gc_unfinished']);

    for (const id of doomed.slice(1)) {
      await bob.fails(['ref', 'create', 'late', id], 'E_SNAPSHOT_CONDEMNED');
      await bob.fails(['gc', 'pin', id], 'E_SNAPSHOT_CONDEMNED');
      await bob.fails(['worktree', 'create', 'late', '--from', id], 'E_SNAPSHOT_CONDEMNED');
    }
    await bob.ok(['ref', 'create', 'fine', main[0] ?? '']);

    await bob.ok(run(planId));
    await expectRepaired(user);
  });

  test('a plan whose file is lost is ended with what was moved, and nothing else', async ({ aged, expect }) => {
    const { repo, planId, doomed, main, user, bob } = aged;
    await crash(user, run(planId), 'gc:move', 'kill');
    unlinkSync(`${repo.control}/gc/plans/${planId}.json`);
    // Nobody knows what it deletes: so nothing is named until it has ended.
    await bob.fails(['ref', 'create', 'late', main[0] ?? ''], 'E_SNAPSHOT_CONDEMNED');

    expect(await bob.json(run(planId))).toMatchObject({ deleted_count: 1, abandoned: false });

    expect(doomed.filter((id) => wholeOrGone(repo, id) === 'gone')).toHaveLength(1);
    await bob.ok(['ref', 'create', 'late', main[0] ?? '']);
    await expectRepaired(user);
  });

  test('a repository copied without its temporary files is finished all the same', async ({ aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    await crash(user, run(planId), 'gc:move', 'kill');
    rmSync(`${repo.control}/tmp`, { recursive: true });

    await bob.ok(run(planId));

    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('gone');
    await expectRepaired(user);
  });
});

describe.concurrent('abandoning can itself be interrupted', () => {
  test('gc:abandon-claim: again, or go on with the plan', async ({ aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    await crash(user, run(planId), 'gc:move', 'kill');
    await crash(bob, abandon(planId), 'gc:abandon-claim', 'kill');
    expect(await categories(bob)).toEqual(['gc_unfinished']);

    await bob.ok(abandon(planId));

    expect(doomed.filter((id) => wholeOrGone(repo, id) === 'gone')).toHaveLength(1);
    await expectRepaired(user);
  });

  test('gc:abandon-claim, then the plan is carried out', async ({ aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    await crash(user, run(planId), 'gc:tombstone', 'kill');
    await crash(bob, abandon(planId), 'gc:abandon-claim', 'error:EIO');

    await bob.ok(run(planId));

    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('gone');
    await expectRepaired(user);
  });

  test('gc:abandon-done: it is over, and what was left is cleaned up', async ({ aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    await crash(user, run(planId), 'gc:move', 'kill');
    await crash(bob, abandon(planId), 'gc:abandon-done', 'kill');

    await bob.fails(abandon(planId), 'E_GC_PLAN_MISMATCH');
    await bob.fails(run(planId), 'E_GC_PLAN_MISMATCH');
    expect(doomed.filter((id) => wholeOrGone(repo, id) === 'gone')).toHaveLength(1);
    await expectRepaired(user);
  });

  test('gc:plan: a plan without its record can be carried out', async ({ aged, expect }) => {
    const { repo, planId, user, bob } = aged;
    await crash(user, ['gc', 'plan'], 'gc:plan', 'kill');
    const [other = ''] = readdirSync(`${repo.control}/gc/plans`).filter((name) => !name.startsWith(planId));

    expect(await bob.json(run(other.replace('.json', '')))).toMatchObject({ deleted_count: 3 });
    await bob.fails(run(planId), 'E_GC_PLAN_MISMATCH');
    await expectRepaired(user);
  });
});
