import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as tree from '@jvs/platform/tree';
import * as engines from '@jvs/snapshot-engine';
import { test } from '@jvs/testkit';
import { expect } from 'vitest';

type Example = (...names: unknown[]) => Promise<readonly string[]>;
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (...text: string[]) => Example;

test('the example of the README copies a tree', async ({ dir }) => {
  mkdirSync(`${dir}/tree`);
  writeFileSync(`${dir}/tree/hello.txt`, 'hello\n');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = (/```ts\n(.*?)```/s.exec(readme)?.[1] ?? '').replaceAll('/data', dir).replaceAll(/^ *import .*$/gm, '');
  const names = { ...tree, ...engines };

  const entries = await new AsyncFunction(...Object.keys(names), `${code}; return entries;`)(...Object.values(names));

  // M1 of the format's test vectors, and its hash.
  const hash = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';
  expect(entries).toEqual([`hello.txt\0file 0644 6 ${hash}`]);
  expect(readFileSync(`${dir}/copy/hello.txt`, 'utf8')).toBe('hello\n');
});
