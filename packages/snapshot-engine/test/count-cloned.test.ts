import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { scanTree, withTreePool } from '@jvs/platform/tree';
import { test } from '@jvs/testkit';
import { expect } from 'vitest';
import { countCloned } from '../src/count-cloned.ts';

test('counts the files of each part once, with all below directories that are whole', async ({ dir }) => {
  mkdirSync(`${dir}/t/a/b`, { recursive: true });
  for (const path of ['top', 'a/one', 'a/b/two', 'a/b/three']) writeFileSync(`${dir}/t/${path}`, '12345');
  symlinkSync('top', `${dir}/t/link`);
  const scan = await withTreePool((pool) => scanTree(pool, `${dir}/t`));
  const seen: unknown[] = [];
  const onCloned = countCloned(scan, ({ files, bytes }) => seen.push([files, bytes]));

  onCloned({ paths: ['top', 'link'], deep: true });
  onCloned({ paths: ['a/one'], deep: true });
  onCloned({ paths: ['a/b', 'vanished'], deep: true });
  onCloned({ paths: ['', 'a'], deep: false });

  expect(seen).toEqual([
    [1, 5],
    [2, 10],
    [4, 20],
    [4, 20],
  ]);
});
