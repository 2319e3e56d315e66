import { readFileSync } from 'node:fs';
import process from 'node:process';

import { auditRecords, type CliResult, type RunningCli, type User } from '@jvs/testkit';
import { describe } from 'vitest';

import { categories, crash, expectRepaired, type Report } from './aftermath.ts';
import { runDirectories, test, wholeOrGone, type Aged } from './aged-repository.ts';

const run = (planId: string): string[] => ['gc', 'run', '--plan-id', planId];
const abandon = (planId: string): string[] => ['gc', 'run', '--abandon', planId];

/** What must hold whatever happened: nothing that has a name was deleted, no half snapshot, a valid chain, no loose ends. */
async function expectSound({ repo, main, doomed }: Aged, user: User): Promise<void> {
  const refs = await user.json<{ snapshot_id: string }[]>(['ref', 'list']);
  for (const id of [...main, ...refs.map(({ snapshot_id }) => snapshot_id)]) {
    if (wholeOrGone(repo, id) !== 'whole') throw new Error(`${id} is named, and was deleted`);
  }
  for (const id of doomed) wholeOrGone(repo, id);
  const report = await user.json<Report>(['doctor', '--strict']);
  if (report.findings.length > 0) throw new Error(JSON.stringify(report.findings));
  if (auditRecords(repo).at(-1)?.condemned_plan !== null) throw new Error('A plan is still condemned');
  if (runDirectories(repo).length > 0) throw new Error(`Left: ${runDirectories(repo).join()}`);
}

/** Lets a frozen process go on; its failpoint stops it at every pass. */
async function thaw(frozen: RunningCli): Promise<CliResult> {
  const ticking = setInterval(() => frozen.resume(), 10);
  return frozen.result.finally(() => clearInterval(ticking));
}

describe.concurrent('a run that is frozen, while another ends its plan and somebody names a snapshot', () => {
  /** Steps, and what naming the last of the snapshots meets there: the run moves all three trees, then goes on with all. */
  const steps: [step: string, met: string][] = [
    ['mark', 'E_SNAPSHOT_CONDEMNED'],
    ['move', 'E_SNAPSHOT_CONDEMNED'],
    ['tombstone', 'E_PARTIAL_SNAPSHOT'],
    ['descriptor', 'E_PARTIAL_SNAPSHOT'],
    ['manifest', 'E_NOT_FOUND'],
    ['tree', 'E_NOT_FOUND'],
  ];
  const isLong = process.env['JVS_TEST_LONG'] === '1';
  const cases = steps.flatMap(([step, met], index) =>
    ['resume', 'abandon']
      .filter((_, other) => isLong || index < 2 || index % 2 === other)
      .map((other) => [step, other, met] as const),
  );

  test.for(cases)('at gc:%s, by %s', async ([step, other, met], { aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    const last = doomed.at(-1) ?? '';
    const frozen = user.start(run(planId), { env: { JVS_FAILPOINT: `gc:${step}=stop` } });
    await frozen.stopped();
    await bob.fails(['ref', 'create', 'late', last], met);

    await bob.ok(other === 'resume' ? run(planId) : abandon(planId));

    const isLeft = wholeOrGone(repo, last) === 'whole';
    expect(isLeft).toBe(other === 'abandon' && met === 'E_SNAPSHOT_CONDEMNED');
    if (isLeft) await bob.ok(['ref', 'create', 'kept', last]);
    const { exitCode, stderr } = await thaw(frozen);
    expect(exitCode, stderr).toBe(other === 'resume' ? 0 : 1);
    if (other === 'abandon') expect(stderr).toContain('E_GC_PLAN_MISMATCH');
    if (isLeft) expect(wholeOrGone(repo, last)).toBe('whole');
    await expectSound(aged, bob);
  });
});

describe.concurrent('of several that are at work on a plan', () => {
  test('a second run is stopped by abandoning, too', async ({ aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    await crash(user, run(planId), 'gc:mark', 'kill');
    const frozen = user.start(run(planId), { env: { JVS_FAILPOINT: 'gc:mark=stop' } });
    await frozen.stopped();
    await bob.ok(abandon(planId));
    await bob.ok(['ref', 'create', 'kept', doomed[0] ?? '']);

    const { exitCode, stderr } = await thaw(frozen);

    expect(exitCode, stderr).toBe(1);
    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('whole');
    await expectSound(aged, bob);
  });

  test('a run is stopped by abandoning before that has cleaned up', async ({ aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    const running = user.start(run(planId), { env: { JVS_FAILPOINT: 'gc:mark=stop' } });
    await running.stopped();
    const abandoning = bob.start(abandon(planId), { env: { JVS_FAILPOINT: 'gc:abandon-done=stop' } });
    await abandoning.stopped();
    await bob.ok(['ref', 'create', 'kept', doomed[0] ?? '']);

    expect(await thaw(running)).toMatchObject({ exitCode: 1 });

    expect(wholeOrGone(repo, doomed[0] ?? '')).toBe('whole');
    expect(await thaw(abandoning)).toMatchObject({ exitCode: 0 });
    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('whole');
    await expectSound(aged, bob);
  });

  test('one that abandons and is frozen lets another finish', async ({ aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    await crash(user, run(planId), 'gc:move', 'kill');
    const frozen = user.start(['--json', ...abandon(planId)], { env: { JVS_FAILPOINT: 'gc:abandon-claim=stop' } });
    await frozen.stopped();
    await bob.ok(run(planId));

    const { exitCode, stdout } = await thaw(frozen);

    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ deleted_count: 3, abandoned: false });
    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('gone');
    await expectSound(aged, bob);
  });
});

describe.concurrent('a run that is frozen before it condemns anything', () => {
  test('gives way to a ref that was made meanwhile', async ({ aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    const frozen = user.start(run(planId), { env: { JVS_FAILPOINT: 'gc:rundir=stop' } });
    await frozen.stopped();
    await bob.ok(['ref', 'create', 'kept', doomed[1] ?? '']);

    const { exitCode, stderr } = await thaw(frozen);

    expect({ exitCode, stderr }).toMatchObject({ exitCode: 1 });
    expect(stderr).toContain('E_GC_PLAN_MISMATCH');
    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('whole');
    await expectSound(aged, bob);
  });

  test('is not kept by a busy log', async ({ aged, expect }) => {
    const { repo, planId, main, doomed, user, bob } = aged;
    const frozen = user.start(run(planId), { env: { JVS_FAILPOINT: 'gc:rundir=stop' } });
    await frozen.stopped();
    for (const name of ['a', 'b', 'c']) await bob.ok(['ref', 'create', name, main[0] ?? '']);

    expect(await thaw(frozen)).toMatchObject({ exitCode: 0 });
    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('gone');
    await expectSound(aged, bob);
  });

  test('and another that has read the same: one condemns, both succeed', async ({ aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    const frozen = user.start(run(planId), { env: { JVS_FAILPOINT: 'gc:rundir=stop' } });
    await frozen.stopped();
    await bob.ok(run(planId));

    expect(await thaw(frozen)).toMatchObject({ exitCode: 0 });
    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('gone');
    expect(auditRecords(repo).filter(({ operation }) => operation === 'gc_mark')).toHaveLength(1);
    await expectSound(aged, bob);
  });
});

describe.concurrent('a ref or pin whose maker is frozen before it is recorded', () => {
  const kinds = [
    ['ref', ['ref', 'create', 'late']],
    ['pin', ['gc', 'pin']],
  ] as const;

  test.for(kinds)(
    'a %s is refused when the snapshot was condemned meanwhile',
    async ([kind, args], { aged, expect }) => {
      const { repo, planId, doomed, user, bob } = aged;
      const collecting = user.start(run(planId), { env: { JVS_FAILPOINT: 'gc:rundir=stop' } });
      await collecting.stopped();
      const naming = bob.start([...args, doomed[1] ?? ''], { env: { JVS_FAILPOINT: `${kind}:file=stop` } });
      await naming.stopped();
      collecting.resume();
      expect(await collecting.result).toMatchObject({ exitCode: 0 });

      naming.resume();
      const { exitCode, stderr } = await naming.result;

      expect({ exitCode, stderr }).toMatchObject({ exitCode: 1 });
      expect(stderr).toContain('E_SNAPSHOT_CONDEMNED');
      expect(auditRecords(repo).at(-1)?.operation).toBe(kind === 'ref' ? 'ref_delete' : 'gc_unpin');
      await expectSound(aged, bob);
    },
  );

  test.for(kinds)('a %s that is there stops a run that begins later', async ([kind, args], { aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    const naming = bob.start([...args, doomed[1] ?? ''], { env: { JVS_FAILPOINT: `${kind}:file=stop` } });
    await naming.stopped();
    await user.fails(run(planId), 'E_GC_PLAN_MISMATCH');

    expect(await thaw(naming)).toMatchObject({ exitCode: 0 });
    for (const id of doomed) expect(wholeOrGone(repo, id)).toBe('whole');
    await expectSound(aged, bob);
  });
});

describe.concurrent('a worktree made from a snapshot', () => {
  test.for(['opdir', 'claim', 'record'])('frozen at create:%s', async (step, { aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    const id = doomed[1] ?? '';
    const making = bob.start(['worktree', 'create', 'late', '--from', id], {
      env: { JVS_FAILPOINT: `create:${step}=stop` },
    });
    await making.stopped();
    const collected = await user.run(run(planId));

    const { exitCode, stderr } = await thaw(making);

    // Once its first state record is there, the snapshot is the head of a worktree.
    const isHead = step === 'record';
    expect(collected.exitCode, collected.stderr).toBe(isHead ? 1 : 0);
    expect(wholeOrGone(repo, id)).toBe(isHead ? 'whole' : 'gone');
    expect(exitCode, stderr).toBe(isHead ? 0 : 1);
    if (!isHead) expect(stderr).toContain('E_SNAPSHOT_CONDEMNED');
    expect(await categories(bob, '--repair-runtime')).toEqual([]);
    await expectSound(aged, bob);
  });
});

describe.concurrent('an in-place restore', () => {
  test.for(['opdir', 'begin'])('frozen at restore:%s', async (step, { aged, expect }) => {
    const { repo, planId, doomed, user, bob } = aged;
    const id = doomed[1] ?? '';
    const before = readFileSync(`${repo.main}/own.txt`, 'utf8');
    const args = ['restore', id, '--inplace', '--force', '--reason', 'back', '--lock'];
    const restoring = bob.start(args, { env: { JVS_FAILPOINT: `restore:${step}=stop` } });
    await restoring.stopped();
    const collected = await user.run(run(planId));

    const { exitCode, stderr } = await thaw(restoring);

    // From its beginning on the snapshot is the target of a pending operation.
    const isTarget = step === 'begin';
    expect(collected.exitCode, collected.stderr).toBe(isTarget ? 1 : 0);
    expect(wholeOrGone(repo, id)).toBe(isTarget ? 'whole' : 'gone');
    expect(exitCode, stderr).toBe(isTarget ? 0 : 1);
    if (!isTarget) expect(stderr).toContain('E_SNAPSHOT_CONDEMNED');
    expect(readFileSync(`${repo.main}/own.txt`, 'utf8') === before).toBe(!isTarget);
    await expectRepaired(bob);
    for (const one of doomed) wholeOrGone(repo, one);
  });
});

test('collecting, naming, publishing and branching at once never delete what has a name', async ({ aged, expect }) => {
  const { repo, planId, doomed, main, user, bob } = aged;
  const [one = '', two = '', three = ''] = doomed;
  const work = [
    user.run(run(planId)),
    bob.run(['ref', 'create', 'one', one]),
    user.run(['snapshot', 'meanwhile', '--lock']),
    bob.run(['worktree', 'create', 'branch', '--from', two]),
    user.run(['gc', 'pin', three]),
    bob.run(['ref', 'create', 'fine', main[0] ?? '']),
    user.run(run(planId)),
  ];
  const results = await Promise.all(work);

  expect(results[2], JSON.stringify(results[2])).toMatchObject({ exitCode: 0 });
  expect(results[5], JSON.stringify(results[5])).toMatchObject({ exitCode: 0 });
  for (const [index, id] of [
    [1, one],
    [3, two],
    [4, three],
  ] as const) {
    if (results[index]?.exitCode === 0) expect(wholeOrGone(repo, id)).toBe('whole');
  }
  await user.run(run(planId));
  await bob.ok(['doctor', '--repair-runtime', '--strict']);
});
