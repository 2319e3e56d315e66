import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { openTreePool, scanTree } from '@jvs/platform/tree';
import { reflinkEngine } from '@jvs/snapshot-engine';
import { describeEngine } from '@jvs/snapshot-engine/contract';
import { test } from '@jvs/testkit';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Mounted, mountXfs } from './mounted.ts';

let xfs: Mounted;
beforeAll(() => {
  xfs = mountXfs();
});
afterAll(() => xfs.unmount());

describeEngine(reflinkEngine, () => mkdtempSync(`${xfs.dir}/case-`));

test('shares the extents: a clone of 100 MiB takes next to no room', async () => {
  const source = `${xfs.dir}/large`;
  mkdirSync(source);
  writeFileSync(`${source}/file`, new Uint8Array(100 * 1024 * 1024).fill(7));
  const used = usedMiB(xfs.dir);
  const pool = openTreePool();

  await reflinkEngine.clone(source, `${xfs.dir}/clone`, { scan: await scanTree(pool, source) });
  await pool.close();

  expect(usedMiB(xfs.dir) - used).toBeLessThan(10);
});

test('is refused by the probe where the filesystem has no reflinks', async () => {
  const shm = mkdtempSync('/dev/shm/jvs-probe-');

  const works = await reflinkEngine.probe(shm);
  const left = readdirSync(shm);
  rmSync(shm, { recursive: true });

  expect(works).toBe(false);
  expect(left).toEqual([]);
});

function usedMiB(dir: string): number {
  execFileSync('sync', ['-f', dir]);
  return Number(execFileSync('df', ['--output=used', '-BM', dir], { encoding: 'utf8' }).match(/(\d+)M/)?.[1]);
}
