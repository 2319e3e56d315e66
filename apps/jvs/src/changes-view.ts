import { colorsFor, formatBytes, formatTable } from '@jvs/cli-kit';
import type { Diff, PathStat } from '@jvs/core-repo';

type ChangeKind = PathStat['change'];

const KINDS: readonly ChangeKind[] = ['added', 'removed', 'modified', 'mode_changed', 'type_changed'];

/** All changed paths in the order of paths. */
export function changedPaths(diff: Diff): string[] {
  return markedPaths(diff).map(([path]) => path);
}

/** A line for each changed path: `+ - ~ m t` and the path. */
export function changeLines(diff: Diff): string[] {
  return markedPaths(diff).map(([path, kind]) => `${markOf(kind)} ${path}`);
}

/** A table of changed paths with their sizes before and after. */
export function statLines(stat: readonly PathStat[]): string[] {
  if (stat.length === 0) return [];
  const { green, red } = colorsFor('stdout');
  const rows = stat.map(({ path, bytes_before: before, bytes_after: after }) => {
    const grown = (after ?? 0) - (before ?? 0);
    const step = `${grown < 0 ? '-' : '+'}${formatBytes(Math.abs(grown))}`;
    return [path, sizeOf(before), '->', sizeOf(after), before === after ? '' : step];
  });
  return formatTable(rows)
    .split('\n')
    .map((line, index) => {
      const row = stat[index];
      const step = rows[index]?.[4] ?? '';
      const paint = step.startsWith('-') ? red : green;
      const painted = step === '' ? line : `${line.slice(0, -step.length)}${paint(step)}`;
      return row === undefined ? painted : `${markOf(row.change)} ${painted}`;
    });
}

/** `2 added, 1 modified; 1.0 KiB -> 3.0 KiB.` */
export function totalsLine({ totals }: Diff): string {
  const counts = KINDS.filter((kind) => totals[kind] > 0).map((kind) => `${totals[kind]} ${kind.replace('_', ' ')}`);
  const { bytes_before: before, bytes_after: after } = totals;
  const sizes = before === 0 && after === 0 ? '' : `; ${formatBytes(before)} -> ${formatBytes(after)}`;
  return `${counts.join(', ')}${sizes}.`;
}

function sizeOf(bytes: number | null): string {
  return bytes === null ? '-' : formatBytes(bytes);
}

function markOf(kind: ChangeKind): string {
  const { green, red, yellow, cyan } = colorsFor('stdout');
  switch (kind) {
    case 'added':
      return green('+');
    case 'removed':
      return red('-');
    case 'modified':
      return yellow('~');
    case 'mode_changed':
      return cyan('m');
    case 'type_changed':
      return cyan('t');
  }
}

function markedPaths(diff: Diff): (readonly [path: string, kind: ChangeKind])[] {
  return KINDS.flatMap((kind) => diff[kind].map((path) => [path, kind] as const)).sort(([a], [b]) => (a < b ? -1 : 1));
}
