import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GcPolicy } from '../../src/gc/policy.ts';
import { retained, type Datable } from '../../src/gc/retention.ts';

const BASE: GcPolicy = { scope: 'all', min_age_ms: 0 };

function at(...times: string[]): Datable[] {
  return times.map((time) => ({ id: time, worktreeId: 'w', createdAtMs: Date.parse(time), tags: [] }));
}

function keptOf(snapshots: Datable[], policy: Partial<GcPolicy>): string[] {
  return [...retained(snapshots, { ...BASE, ...policy })].toSorted();
}

describe('each rule', () => {
  const days = at(
    '2026-12-28T10:00:00.000Z',
    '2026-12-31T23:59:59.999Z',
    '2027-01-01T00:00:00.000Z',
    '2027-01-01T05:00:00.000Z',
    '2027-01-03T12:00:00.000Z',
    '2027-01-04T00:00:00.000Z',
  );
  const rules: [string, Partial<GcPolicy>, number[]][] = [
    ['none', {}, []],
    ['the newest two', { keep_last_n: 2 }, [4, 5]],
    ['hours that have one', { keep_hourly: 3 }, [3, 4, 5]],
    ['days that have one: the newest of each', { keep_daily: 3 }, [3, 4, 5]],
    ['ISO weeks: Monday 28 December to Sunday 3 January is one', { keep_weekly: 9 }, [4, 5]],
    ['months, in UTC', { keep_monthly: 9 }, [1, 5]],
    ['years', { keep_yearly: 1 }, [5]],
    ['a span back from the newest, its end included', { keep_within_ms: 12 * 3_600_000 }, [4, 5]],
    ['several: whatever any of them keeps', { keep_last_n: 1, keep_yearly: 2 }, [1, 5]],
  ];

  test.for(rules)('%s', ([, policy, kept]) => {
    expect(keptOf(days, policy)).toEqual(kept.map((index) => days[index]?.id));
  });

  test('applies to each worktree by itself', () => {
    const two = ['a', 'b'].flatMap((worktreeId) =>
      days.map((day) => ({ ...day, worktreeId, id: worktreeId + day.id })),
    );

    expect(keptOf(two, { keep_last_n: 1 })).toEqual(['a2027-01-04T00:00:00.000Z', 'b2027-01-04T00:00:00.000Z']);
  });

  test('tags count by how they begin', () => {
    const [first, second, third] = days;
    const tagged = [
      { ...first, tags: ['nightly', 'release-7'] },
      { ...second, tags: ['prerelease'] },
      { ...third, tags: [] },
    ] as Datable[];

    expect(keptOf(tagged, { keep_tag_prefixes: ['release'] })).toEqual([first?.id]);
  });
});

/** The period a time lies in, by calendars that the product does not use. */
const PERIODS: Record<string, (date: Date) => string> = {
  keep_hourly: (date) => date.toISOString().slice(0, 13),
  keep_daily: (date) => date.toISOString().slice(0, 10),
  keep_weekly: (date) => {
    // ISO 8601: the week belongs to the year that its Thursday is in.
    const thursday = new Date(date);
    thursday.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7) + 3);
    const newYear = Date.UTC(thursday.getUTCFullYear(), 0, 1);
    const day = Math.floor((thursday.getTime() - newYear) / 86_400_000);
    return `${thursday.getUTCFullYear()}-W${Math.floor(day / 7) + 1}`;
  },
  keep_monthly: (date) => `${date.getUTCFullYear()}-${date.getUTCMonth()}`,
  keep_yearly: (date) => String(date.getUTCFullYear()),
};

/** The definition, word for word and without any cleverness. */
function isKept(one: Datable, all: Datable[], policy: GcPolicy): boolean {
  const mine = all.filter(({ worktreeId }) => worktreeId === one.worktreeId);
  const isNewer = (a: Datable, b: Datable): boolean =>
    a.createdAtMs > b.createdAtMs || (a.createdAtMs === b.createdAtMs && a.id > b.id);
  const newer = mine.filter((other) => isNewer(other, one));
  if (newer.length < (policy.keep_last_n ?? 0)) return true;
  for (const [rule, periodOf] of Object.entries(PERIODS)) {
    const period = periodOf(new Date(one.createdAtMs));
    const laterPeriods = new Set(newer.map(({ createdAtMs }) => periodOf(new Date(createdAtMs))));
    if (!laterPeriods.has(period) && laterPeriods.size < Number(policy[rule as keyof GcPolicy] ?? 0)) return true;
  }
  const newest = Math.max(...mine.map(({ createdAtMs }) => createdAtMs));
  if (policy.keep_within_ms !== undefined && one.createdAtMs >= newest - policy.keep_within_ms) return true;
  return one.tags.some((tag) => policy.keep_tag_prefixes?.some((prefix) => tag.startsWith(prefix)) === true);
}

test('retention is its definition', () => {
  const time = fc.oneof(
    fc.integer({ min: Date.UTC(2020, 11, 20), max: Date.UTC(2021, 0, 20) }),
    fc.integer({ min: 0, max: Date.UTC(2030, 0, 1) }),
    fc.constantFrom(...[2015, 2016, 2020, 2021, 2026].map((year) => Date.UTC(year, 0, 1))),
  );
  const snapshot = fc.record({
    worktreeId: fc.constantFrom('a', 'b'),
    createdAtMs: time,
    tags: fc.array(fc.constantFrom('release-1', 'nightly', 're'), { maxLength: 2 }),
  });
  const count = fc.option(fc.nat(4), { nil: undefined });
  const policy = fc.record({
    scope: fc.constant('all' as const),
    min_age_ms: fc.constant(0),
    keep_last_n: count,
    keep_hourly: count,
    keep_daily: count,
    keep_weekly: count,
    keep_monthly: count,
    keep_yearly: count,
    keep_within_ms: fc.option(fc.nat(40 * 86_400_000), { nil: undefined }),
    keep_tag_prefixes: fc.option(fc.array(fc.constantFrom('re', 'release', 'night')), { nil: undefined }),
  });

  fc.assert(
    fc.property(fc.array(snapshot, { maxLength: 30 }), policy, (drawn, rules) => {
      const all = drawn.map((fields, index) => ({ ...fields, id: `id-${String(index).padStart(3, '0')}` }));
      const expected = all.filter((one) => isKept(one, all, rules)).map(({ id }) => id);
      // As an iterator, which can be gone through only once.
      expect([...retained(all.values(), rules)].toSorted()).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});
