import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { openTreePool, scanTree, type TreePool } from '@jvs/platform/tree';
import { copyEngine } from '@jvs/snapshot-engine';
import { test } from '@jvs/testkit';
import { afterAll, beforeAll, expect } from 'vitest';

let pool: TreePool;
beforeAll(() => {
  pool = openTreePool({ threads: 1 });
});
afterAll(async () => {
  await pool.close();
});

test('an update never follows a symlink that the copy holds in the place of a directory', async ({ dir }) => {
  const [source, target, outside] = [`${dir}/source`, `${dir}/target`, `${dir}/outside`];
  mkdirSync(`${source}/d/e`, { recursive: true });
  writeFileSync(`${source}/d/e/f`, 'first');
  mkdirSync(`${outside}/e`, { recursive: true, mode: 0o755 });
  writeFileSync(`${outside}/e/f`, 'not ours');
  const before = await scanTree(pool, source);
  renameSync(`${source}/d`, `${dir}/away`);
  symlinkSync(outside, `${source}/d`);
  await copyEngine.clone(source, target, { scan: before });
  renameSync(`${source}/d`, `${dir}/link`);
  renameSync(`${dir}/away`, `${source}/d`);
  writeFileSync(`${source}/d/e/f`, 'second');

  await copyEngine.reclone(source, target, ['d/e/f'], { scan: await scanTree(pool, source) });

  expect(readFileSync(`${outside}/e/f`, 'utf8')).toBe('not ours');
  expect([outside, `${outside}/e`].map((path) => lstatSync(path).mode & 0o777)).toEqual([0o755, 0o755]);
  expect(readdirSync(outside)).toEqual(['e']);
  expect(lstatSync(`${target}/d`).isDirectory()).toBe(true);
  expect(readFileSync(`${target}/d/e/f`, 'utf8')).toBe('second');
});
