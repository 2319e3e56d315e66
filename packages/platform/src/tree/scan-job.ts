import { lstatSync, readdirSync, type BigIntStats } from 'node:fs';
import { type BytePath, joinPath } from '../byte-path.ts';
import { atPath } from './at-path.ts';
import { OwnerTally } from './owner-tally.ts';
import { packEntry } from './packed-listing.ts';
import { emptyTotals, type ScanJob, type ScanJobResult } from './tree-job.ts';

/** After this many entries a job hands back what is left, so that idle threads get their share. */
const ENTRIES_A_JOB = 1500;

/** Scans directories, the found ones too, until the job is long enough. What vanishes meanwhile is simply absent. */
export function runScanJob({ root, dirs, device, skip }: ScanJob): ScanJobResult {
  const rest = [...dirs];
  const skipped = new Set(skip);
  const owners = new OwnerTally();
  const result: ScanJobResult = {
    listings: [],
    rest,
    totals: emptyTotals(),
    specials: [],
    linked: [],
    mounts: [],
    owners: [],
  };
  let seen = 0;
  while (seen < ENTRIES_A_JOB) {
    const dir = rest.pop();
    if (dir === undefined) break;
    const names = atPath(root, dir, (target) => readdirSync(target, 'latin1'));
    if (names === undefined) continue;
    const packed: string[] = [];
    for (const name of names) {
      const path = joinPath(dir, name);
      if (skipped.has(path)) continue;
      const stats = atPath(root, path, (target) => lstatSync(target, { bigint: true }));
      if (stats === undefined) continue;
      packed.push(packEntry(name, stats));
      owners.add(Number(stats.uid), Number(stats.gid), path);
      if (String(stats.dev) === device) tally(result, path, stats);
      else result.mounts.push(path);
    }
    result.listings.push(dir, packed.join('/'));
    seen += names.length + 1;
  }
  result.owners = owners.list();
  return result;
}

function tally(result: ScanJobResult, path: BytePath, stats: BigIntStats): void {
  const { totals } = result;
  if (stats.isFile()) {
    totals.files += 1;
    totals.bytes += Number(stats.size);
    if (stats.nlink > 1n) result.linked.push(`${stats.ino}\0${path}`);
  } else if (stats.isDirectory()) {
    totals.dirs += 1;
    result.rest.push(path);
  } else if (stats.isSymbolicLink()) {
    totals.symlinks += 1;
  } else {
    totals.specials += 1;
    result.specials.push(path);
  }
}
