import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
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

test.for(['2045-06-07T08:09:10.123456Z', '1955-06-07T08:09:10Z'])(
  'a root last written in %s is copied, without a word',
  async (time, { dir }) => {
    const [source, target] = [`${dir}/source`, `${dir}/target`];
    mkdirSync(source);
    execFileSync('touch', ['-d', time, source]);

    const lost = await copyEngine.clone(source, target, { scan: await scanTree(pool, source) });

    expect(lost).toEqual([]);
    expect(lstatSync(target, { bigint: true }).mtimeNs).toBe(lstatSync(source, { bigint: true }).mtimeNs);
  },
);

const REPLACEMENTS: [string, (path: string) => void][] = [
  ['a file', (path) => writeFileSync(path, 'now a file')],
  ['a symlink', (path) => symlinkSync('/nowhere', path)],
  ['a FIFO', (path) => void execFileSync('mkfifo', [path])],
  ['nothing', () => {}],
];

test.for(REPLACEMENTS)(
  'a directory that we make ourselves may have become %s meanwhile',
  async ([, replace], { dir }) => {
    const [source, target] = [`${dir}/source`, `${dir}/target`];
    mkdirSync(`${source}/d/e`, { recursive: true });
    // A special file in it makes the engine take it apart; another level stays empty in the copy.
    for (const path of ['d/fifo', 'd/e/fifo']) execFileSync('mkfifo', [`${source}/${path}`]);
    writeFileSync(`${source}/d/file`, 'x');
    const scan = await scanTree(pool, source);
    let isFirst = true;
    const swap = (): void => {
      if (!isFirst) return;
      isFirst = false;
      renameSync(`${source}/d/e`, `${dir}/away`);
      replace(`${source}/d/e`);
    };

    // After the first group has been copied, before directories get their modes.
    const lost = await copyEngine.clone(source, target, { scan, onCloned: swap });

    expect(lost).toEqual(['special']);
    expect(lstatSync(`${target}/d/e`).isDirectory()).toBe(true);
    rmSync(`${dir}/away`, { recursive: true });
  },
);

test('a directory whose name reminds of ACLs is none', async ({ dir }) => {
  mkdirSync(`${dir}/source/oracle-xattr`, { recursive: true });
  execFileSync('mkfifo', [`${dir}/source/oracle-xattr/fifo`]);
  utimesSync(`${dir}/source/oracle-xattr`, 4_000_000_000, 4_000_000_000);

  const lost = await copyEngine.clone(`${dir}/source`, `${dir}/target`, {
    scan: await scanTree(pool, `${dir}/source`),
  });

  expect(lost).toEqual(['special']);
});
