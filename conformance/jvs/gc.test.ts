import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';

import { auditRecords, readJson, type Descriptor, type LargeRepository } from '@jvs/testkit';
import { describe } from 'vitest';

import { test } from './aged-repository.ts';
import { canonical, hashWithout, sha256 } from './canonical.ts';

interface Plan {
  plan_id: string;
  to_delete: string[];
  plan_checksum: { algo: string; value: string };
}

interface Run {
  plan_id: string;
  deleted_count: number;
  failed: string[];
  abandoned: boolean;
  freed_bytes: number;
  dry_run?: boolean;
}

const FOLDERS = { snapshots: '', descriptors: '.json', manifests: '.manifest' };

/** Where anything of a snapshot is. */
function placesOf({ control }: LargeRepository, id: string): string[] {
  return Object.entries(FOLDERS).flatMap(([folder, end]) =>
    existsSync(`${control}/${folder}/${id}${end}`) ? [folder] : [],
  );
}

describe.concurrent('the fixture', () => {
  test('is a repository that everything says is whole', async ({ aged: { user }, expect }) => {
    await user.ok(['doctor', '--strict']);
    expect(await user.json<Descriptor[]>(['history'])).toHaveLength(4);
  });
});

describe.concurrent('gc plan', () => {
  test('lists what nothing leads to, with its checksum, and deletes nothing', async ({ aged, expect }) => {
    const { repo, side, main, user } = aged;

    const plan = await user.json<Plan>(['gc', 'plan']);

    expect(Object.keys(plan)).toEqual([
      'plan_id',
      'created_at',
      'policy_name',
      'policy',
      'candidate_count',
      'protected_by_head',
      'protected_by_lineage',
      'protected_by_ref',
      'protected_by_pin',
      'protected_by_intent',
      'protected_by_retention',
      'protected_by_age',
      'to_delete',
      'deletable_bytes_estimate',
      'exclusive_bytes_estimate',
      'plan_checksum',
    ]);
    expect(plan).toMatchObject({
      policy_name: 'default',
      policy: { scope: 'unreachable', min_age_ms: 86_400_000 },
      candidate_count: 3,
      protected_by_head: 1,
      protected_by_lineage: 3,
      to_delete: side.toSorted(),
      // Each has 'own <n>\n' and 'shared\n', which main has, too.
      deletable_bytes_estimate: 3 * (6 + 7),
      exclusive_bytes_estimate: 3 * 6,
    });
    expect(plan.plan_checksum).toEqual({ algo: 'sha256', value: hashWithout(plan, 'plan_checksum') });
    expect(readFileSync(`${repo.control}/gc/plans/${plan.plan_id}.json`, 'utf8')).toBe(
      `${JSON.stringify(plan, null, 2)}\n`,
    );
    expect(auditRecords(repo).at(-1)).toMatchObject({ operation: 'gc_plan', target: plan.plan_id });
    for (const id of [...main, ...side]) expect(placesOf(repo, id)).toHaveLength(3);
  });

  test('is the same for the same repository', async ({ aged: { user }, expect }) => {
    const [first, second] = [await user.json<Plan>(['gc', 'plan']), await user.json<Plan>(['gc', 'plan'])];

    const facts = (plan: Plan) => ({ ...plan, plan_id: null, created_at: null, plan_checksum: null });
    expect(facts(second)).toEqual(facts(first));
  });

  test('tells people why what stays, and what to type next', async ({ aged: { user, side }, expect }) => {
    const out = await user.ok(['gc', 'plan']);

    const id = /^GC Plan: ([0-9a-f-]{36})$/m.exec(out)?.[1];
    expect(out).toMatch(/^ {2}head +1\b/m);
    expect(out).toMatch(/^ {2}lineage +3\b/m);
    for (const one of side) expect(out).toContain(one);
    expect(out.trimEnd().split('\n').at(-1)).toBe(`Run: jvs gc run --plan-id ${id}`);
  });

  test('never has the target of a ref or a pin as a candidate', async ({ aged: { user, side }, expect }) => {
    const [one = '', two = '', three = ''] = side;
    await user.ok(['ref', 'create', 'kept', one]);
    await user.ok(['gc', 'pin', three, '--reason', 'audit', '--until', '7d']);

    const plan = await user.json<Plan>(['gc', 'plan', '--scope', 'all', '--min-age-ms', '0']);

    expect(plan.to_delete).not.toContain(one);
    expect(plan.to_delete).not.toContain(three);
    expect(plan.to_delete).toContain(two);
    expect(plan).toMatchObject({ protected_by_ref: 1, protected_by_pin: 1 });
  });

  test('leaves what was made or used just now', async ({ saved, ada, expect }) => {
    await ada.ok(['snapshot', 'second']);

    const plan = await ada.json<Plan>(['gc', 'plan', '--scope', 'all', '--min-age-ms', '0']);

    expect(plan).toMatchObject({ candidate_count: 0 });
    expect(saved.id).not.toBe('');
  });
});

describe.concurrent('gc run', () => {
  test('deletes what the plan lists; history and everything else stay whole', async ({ aged, expect }) => {
    const { repo, main, side, user } = aged;
    const descriptors = side.map((id) => readJson<Descriptor>(`${repo.control}/descriptors/${id}.json`));
    const { plan_id: id } = await user.json<Plan>(['gc', 'plan']);

    const result = await user.json<Run>(['gc', 'run', '--plan-id', id]);

    expect(result).toMatchObject({ plan_id: id, deleted_count: 3, failed: [], abandoned: false });
    for (const [index, one] of side.entries()) {
      expect(placesOf(repo, one)).toEqual([]);
      const tombstone = readJson<object>(`${repo.control}/gc/tombstones/${one}.json`);
      expect(Object.keys(tombstone)).toEqual(['snapshot_id', 'plan_id', 'deleted_at', 'descriptor']);
      expect(tombstone).toMatchObject({ snapshot_id: one, plan_id: id, descriptor: descriptors[index] });
    }
    for (const one of main) expect(placesOf(repo, one)).toHaveLength(3);
    const lines = side
      .toSorted()
      .map((one) => `${one} ${sha256(readFileSync(`${repo.control}/gc/tombstones/${one}.json`))}\n`);
    expect(auditRecords(repo).slice(-2)).toMatchObject([
      { operation: 'gc_mark', target: id, condemned_plan: id },
      { operation: 'gc_done', target: id, condemned_plan: null, details: { object_sha256: sha256(lines.join('')) } },
    ]);
    await user.ok(['verify', '--all']);
    await user.ok(['doctor', '--strict']);
    expect(await user.json<Descriptor[]>(['history'])).toHaveLength(4);
  });

  test('says how many, and what that set free', async ({ aged: { user }, expect }) => {
    const { plan_id: id } = await user.json<Plan>(['gc', 'plan']);

    expect(await user.ok(['gc', 'run', '--plan-id', id])).toMatch(/^GC completed: 3 deleted\.\nFreed: \d+.*B\n$/);
  });

  test('of an empty plan succeeds', async ({ saved, ada, expect }) => {
    const { plan_id: id } = await ada.json<Plan>(['gc', 'plan']);

    expect(await ada.json<Run>(['gc', 'run', '--plan-id', id])).toMatchObject({ deleted_count: 0 });
    expect(auditRecords(saved).at(-1)?.operation).toBe('gc_plan');
  });

  test('--dry-run says what it would delete, and does nothing', async ({ aged: { repo, user, side }, expect }) => {
    const { plan_id: id } = await user.json<Plan>(['gc', 'plan']);
    const records = auditRecords(repo).length;

    expect(await user.ok(['gc', 'run', '--plan-id', id, '--dry-run'])).toBe(
      side
        .toSorted()
        .map((one) => `Would delete: ${one}\n`)
        .join(''),
    );
    expect(await user.json<Run>(['gc', 'run', '--plan-id', id, '--dry-run'])).toMatchObject({
      dry_run: true,
      deleted_count: 3,
    });
    expect(auditRecords(repo)).toHaveLength(records);
    for (const one of side) expect(placesOf(repo, one)).toHaveLength(3);
  });

  test('thins a lineage with scope all; deleted ancestors are labelled in history', async ({ aged, expect }) => {
    const { main, user } = aged;
    const { plan_id: id } = await user.json<Plan>(['gc', 'plan', '--scope', 'all', '--keep-last', '1']);

    await user.ok(['gc', 'run', '--plan-id', id]);

    const walked = await user.json<(Descriptor & { risk_labels: string[] })[]>(['history']);
    expect(walked.map(({ snapshot_id }) => snapshot_id)).toEqual(main.toReversed());
    expect(walked.map(({ risk_labels: labels }) => labels.includes('deleted'))).toEqual([false, true, true, true]);
    await user.fails(['restore', main[0] ?? ''], 'E_NOT_FOUND');
    await user.ok(['doctor', '--strict']);
  });

  test('wants exactly one of --plan-id and --abandon', async ({ repo, ada, expect }) => {
    const id = '3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5b';
    for (const flags of [[], ['--plan-id', id, '--abandon', id], ['--plan-id', '']]) {
      expect((await ada.run(['gc', 'run', ...flags])).exitCode).toBe(2);
    }
    expect(repo.root).not.toBe('');
  });
});

describe.concurrent('E_GC_PLAN_MISMATCH', () => {
  const run = (id: string) => ['gc', 'run', '--plan-id', id];

  test('for a plan that is unknown, no id, or not in progress', async ({ aged: { user }, expect }) => {
    const { plan_id: id } = await user.json<Plan>(['gc', 'plan']);

    await user.fails(run('3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5b'), 'E_GC_PLAN_MISMATCH');
    await user.fails(run('../../repo_id'), 'E_GC_PLAN_MISMATCH');
    const error = await user.fails(['gc', 'run', '--abandon', id], 'E_GC_PLAN_MISMATCH');
    expect(error.hint).toContain('nothing to abandon');
  });

  test('for a plan that was edited, with or without a fitting checksum', async ({ aged, expect }) => {
    const { repo, main, user } = aged;
    const plan = await user.json<Plan>(['gc', 'plan']);
    const path = `${repo.control}/gc/plans/${plan.plan_id}.json`;
    const edited = { ...plan, to_delete: [...plan.to_delete, main[0]].toSorted() };

    writeFileSync(path, JSON.stringify(edited));
    await user.fails(run(plan.plan_id), 'E_GC_PLAN_MISMATCH');
    const { plan_checksum: _old, ...rest } = edited;
    writeFileSync(path, JSON.stringify({ ...rest, plan_checksum: { algo: 'sha256', value: sha256(canonical(rest)) } }));
    await user.fails(run(plan.plan_id), 'E_GC_PLAN_MISMATCH');

    expect(placesOf(repo, main[0] ?? '')).toHaveLength(3);
  });

  test('when something was named since', async ({ aged: { repo, side, user }, expect }) => {
    const { plan_id: id } = await user.json<Plan>(['gc', 'plan']);
    await user.ok(['gc', 'pin', side[0] ?? '']);

    const error = await user.fails(run(id), 'E_GC_PLAN_MISMATCH');

    expect(error.details['snapshot_ids']).toEqual([side[0]]);
    for (const one of side) expect(placesOf(repo, one)).toHaveLength(3);
  });

  test('for another plan while one is not finished; its hint names that one', async ({ aged: { user }, expect }) => {
    const first = await user.json<Plan>(['gc', 'plan']);
    const second = await user.json<Plan>(['gc', 'plan']);
    await user.run(run(first.plan_id), { env: { JVS_FAILPOINT: 'gc:mark=kill' } });

    const error = await user.fails(run(second.plan_id), 'E_GC_PLAN_MISMATCH');

    expect(error.hint).toContain(first.plan_id);
    await user.ok(run(first.plan_id));
  });
});

test('the manifest of a deleted snapshot stays as long as a kept one is a difference to it', async ({
  aged,
  expect,
}) => {
  const { repo, side, user } = aged;
  const [base = '', kept = ''] = side;
  const manifest = (id: string): string => `${repo.control}/manifests/${id}.manifest`;
  // By hand: the second snapshot's manifest differs from the first one's in one line.
  const [own = ''] = readFileSync(manifest(kept), 'utf8').split('\n');
  writeFileSync(manifest(kept), `base ${base} ${own.length + 2}\n+${own}\n`);
  await user.ok(['verify', kept]);
  await user.ok(['ref', 'create', 'kept', kept]);
  const first = await user.json<Plan>(['gc', 'plan', '--scope', 'all', '--keep-last', '9']);
  expect(first.to_delete).toEqual([]);

  const { plan_id: id, to_delete: ids } = await user.json<Plan>(['gc', 'plan', '--scope', 'all']);
  expect(ids).toContain(base);
  await user.ok(['gc', 'run', '--plan-id', id]);

  expect(placesOf(repo, base)).toEqual(['manifests']);
  await user.ok(['verify', kept]);
  await user.ok(['doctor', '--strict']);
  unlinkSync(manifest(base));
  await user.ok(['doctor', '--repair-runtime', '--strict']);
});
