import type { GcPolicy } from './policy.ts';

/** What retention needs to know of a snapshot. */
export interface Datable {
  id: string;
  worktreeId: string;
  createdAtMs: number;
  tags: readonly string[];
}

/**
 * Ids that the policy's rules keep: for each worktree, from its newest snapshot back, whatever any rule keeps. Calendars
 * are UTC, weeks those of ISO 8601. A span is measured back from the worktree's newest snapshot, so that one at rest
 * keeps what it has.
 */
export function retained(snapshots: Iterable<Datable>, policy: GcPolicy): Set<string> {
  const kept = new Set<string>();
  for (const ofWorktree of byWorktree(snapshots).values()) {
    ofWorktree.sort(newestFirst);
    for (const { id } of ofWorktree.slice(0, policy.keep_last_n ?? 0)) kept.add(id);
    for (const [count, periodOf] of calendarRules(policy)) keepNewestOfEach(ofWorktree, count, periodOf, kept);
    keepWithin(ofWorktree, policy.keep_within_ms, kept);
    keepTagged(ofWorktree, policy.keep_tag_prefixes ?? [], kept);
  }
  return kept;
}

function byWorktree(snapshots: Iterable<Datable>): Map<string, Datable[]> {
  const groups = new Map<string, Datable[]>();
  for (const snapshot of snapshots) {
    const group = groups.get(snapshot.worktreeId);
    if (group === undefined) groups.set(snapshot.worktreeId, [snapshot]);
    else group.push(snapshot);
  }
  return groups;
}

function newestFirst(a: Datable, b: Datable): number {
  return b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1);
}

function calendarRules(policy: GcPolicy): [count: number, periodOf: (ms: number) => string | number][] {
  return [
    [policy.keep_hourly ?? 0, (ms) => Math.floor(ms / 3_600_000)],
    [policy.keep_daily ?? 0, (ms) => Math.floor(ms / DAY_MS)],
    [policy.keep_weekly ?? 0, isoWeek],
    [policy.keep_monthly ?? 0, (ms) => new Date(ms).toISOString().slice(0, 7)],
    [policy.keep_yearly ?? 0, (ms) => new Date(ms).getUTCFullYear()],
  ];
}

const DAY_MS = 86_400_000;

/** Weeks from Monday to Sunday, numbered from the one that began on 29 December 1969; day 0 of 1970 was a Thursday. */
function isoWeek(ms: number): number {
  return Math.floor((Math.floor(ms / DAY_MS) + 3) / 7);
}

function keepNewestOfEach(
  newestFirst: readonly Datable[],
  count: number,
  periodOf: (ms: number) => string | number,
  kept: Set<string>,
): void {
  let left = count;
  let last: string | number | undefined;
  for (const { id, createdAtMs } of newestFirst) {
    if (left === 0) return;
    const period = periodOf(createdAtMs);
    if (period === last) continue;
    kept.add(id);
    last = period;
    left -= 1;
  }
}

function keepWithin(newestFirst: readonly Datable[], spanMs: number | undefined, kept: Set<string>): void {
  const newest = newestFirst[0];
  if (spanMs === undefined || newest === undefined) return;
  for (const { id, createdAtMs } of newestFirst) if (newest.createdAtMs - createdAtMs <= spanMs) kept.add(id);
}

function keepTagged(snapshots: readonly Datable[], prefixes: readonly string[], kept: Set<string>): void {
  const isWanted = (tag: string): boolean => prefixes.some((prefix) => tag.startsWith(prefix));
  for (const { id, tags } of snapshots) if (tags.some(isWanted)) kept.add(id);
}
