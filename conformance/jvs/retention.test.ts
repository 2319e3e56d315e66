import { writeFileSync } from 'node:fs';

import { test, writeLargeRepository, type LargeRepository, type User } from '@jvs/testkit';
import { describe } from 'vitest';

interface Plan {
  policy_name: string;
  policy: Record<string, unknown>;
  protected_by_retention: number;
  to_delete: string[];
}

const DAY = 86_400_000;

/** Sixteen snapshots of main at noon and midnight, the newest on Wednesday 30 September 2026 at 12:00; every fourth is tagged. */
function write(dir: string): LargeRepository {
  return writeLargeRepository(`${dir}/repo`, {
    worktrees: [{ name: 'main', snapshots: 16, tags: (index) => (index % 4 === 0 ? [`release-${index}`] : []) }],
    intervalMs: DAY / 2,
    endMs: Date.UTC(2026, 9, 1),
  });
}

/** Positions of what stays, the newest being 0; the head always stays. */
async function kept(repo: LargeRepository, ada: User, flags: string[]): Promise<number[]> {
  const plan = await ada.at(repo.main).json<Plan>(['gc', 'plan', '--scope', 'all', ...flags]);
  const ids = (repo.ids['main'] ?? []).toReversed();
  return ids.flatMap((id, position) => (plan.to_delete.includes(id) ? [] : [position]));
}

describe.concurrent('what a rule keeps, with scope all', () => {
  const rules: [string, string[], number[]][] = [
    ['nothing but the head without any', [], [0]],
    ['the newest three', ['--keep-last', '3'], [0, 1, 2]],
    ['the newest of each of the last three hours that have one', ['--keep-hourly', '3'], [0, 1, 2]],
    ['the newest of each of three days', ['--keep-daily', '3'], [0, 2, 4]],
    ['of each of two ISO weeks: the older one ends on Sunday', ['--keep-weekly', '2'], [0, 6]],
    ['of months', ['--keep-monthly', '5'], [0]],
    ['of years', ['--keep-yearly', '5'], [0]],
    ['within a span of the newest, its end included', ['--keep-within', '36h'], [0, 1, 2, 3]],
    ['with a tag of this beginning', ['--keep-tag', 'release-1'], [0, 3]],
    ['with one of several', ['--keep-tag', 'release-4', '--keep-tag', 'release-8'], [0, 7, 11]],
    [
      'what any of several rules keeps',
      ['--keep-last', '2', '--keep-daily', '3', '--keep-tag', 'release-0'],
      [0, 1, 2, 4, 15],
    ],
  ];

  test.for(rules)('%s', async ([, flags, positions], { dir, ada, expect }) => {
    expect(await kept(write(dir), ada, flags)).toEqual(positions);
  });
});

describe.concurrent('gc/retention.json', () => {
  test('holds policies by name; options change them', async ({ dir, ada, expect }) => {
    const repo = write(dir);
    const policies = { thin: { scope: 'all', keep_last_n: 3 }, default: { scope: 'all', keep_daily: 3 } };
    writeFileSync(`${repo.control}/gc/retention.json`, JSON.stringify(policies));
    const user = ada.at(repo.main);

    const thin = await user.json<Plan>(['gc', 'plan', '--policy', 'thin']);
    const byDefault = await user.json<Plan>(['gc', 'plan']);
    const changed = await user.json<Plan>(['gc', 'plan', '--policy', 'thin', '--keep-last', '1']);

    expect(thin).toMatchObject({ policy_name: 'thin', policy: { scope: 'all', keep_last_n: 3, min_age_ms: DAY } });
    expect(thin.to_delete).toHaveLength(13);
    expect(byDefault).toMatchObject({ policy_name: 'default', policy: { scope: 'all', keep_daily: 3 } });
    expect(changed.to_delete).toHaveLength(15);
    await user.fails(['gc', 'plan', '--policy', 'other'], 'E_NOT_FOUND');
  });

  test('that cannot be understood stops everything, with the place', async ({ dir, ada, expect }) => {
    const repo = write(dir);
    writeFileSync(`${repo.control}/gc/retention.json`, '{"default":{"keep_dayly":7}}');

    const error = await ada.at(repo.main).fails(['gc', 'plan'], 'E_DESCRIPTOR_CORRUPT');

    expect(error.message).toContain('default.keep_dayly');
  });

  test('max_repo_bytes only warns', async ({ dir, ada, expect }) => {
    const repo = write(dir);
    writeFileSync(`${repo.control}/gc/retention.json`, '{"default":{"max_repo_bytes":10}}');

    const result = await ada.at(repo.main).run(['gc', 'plan', '--json']);

    expect(result.exitCode).toBe(0);
    expect(result.stderr).toContain('max_repo_bytes');
    expect((JSON.parse(result.stdout) as Plan).to_delete).toEqual([]);
  });
});

describe.concurrent('usage', () => {
  const wrong = [
    ['--keep-last', '-1'],
    ['--keep-daily', '1.5'],
    ['--keep-within', 'a week'],
    ['--min-age-ms', 'none'],
    ['--scope', 'some'],
  ];
  test.for(wrong)('%j is a usage error', async (flags, { repo, ada, expect }) => {
    const { exitCode, stderr } = await ada.run(['gc', 'plan', ...flags]);

    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2 });
    expect(stderr).toContain('E_USAGE');
    expect(repo.root).not.toBe('');
  });
});
