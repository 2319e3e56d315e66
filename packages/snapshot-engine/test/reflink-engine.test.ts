import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { openTreePool, scanTree } from '@jvs/platform/tree';
import { reflinkEngine } from '@jvs/snapshot-engine';
import { describeEngine } from '@jvs/snapshot-engine/contract';
import { canMount, mountFilesystem, type MountedFilesystem } from '@jvs/services';
import { test } from '@jvs/testkit';
import { afterAll, beforeAll, describe, expect } from 'vitest';

describe.runIf(canMount('xfs'))('on an XFS', () => {
  let xfs: MountedFilesystem;
  beforeAll(async () => {
    xfs = await mountFilesystem('xfs');
  });
  afterAll(async () => {
    await xfs.unmount();
  });

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
});

test.runIf(canMount('tmpfs'))('is refused by the probe where the filesystem has no reflinks', async () => {
  const tmpfs = await mountFilesystem('tmpfs', { sizeMiB: 1 });

  const works = await reflinkEngine.probe(tmpfs.dir);
  const left = readdirSync(tmpfs.dir);
  await tmpfs.unmount();

  expect(works).toBe(false);
  expect(left).toEqual([]);
});

function usedMiB(dir: string): number {
  execFileSync('sync', ['-f', dir]);
  return Number(execFileSync('df', ['--output=used', '-BM', dir], { encoding: 'utf8' }).match(/(\d+)M/)?.[1]);
}
