import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { makeTree } from '../src/make-tree.ts';

test('the same tree each time, of sizes around 6 KB', () => {
  const dir = mkdtempSync(join(tmpdir(), 'jvs-make-tree-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const [one, two] = [join(dir, 'one'), join(dir, 'two')];

  const facts = makeTree(one, 2001);

  expect(makeTree(two, 2001)).toEqual(facts);
  expect(spawnSync('diff', ['-r', one, two]).status).toBe(0);
  expect(facts).toMatchObject({ files: 2001, dirs: 101 + 5 });
  expect(facts.bytes / facts.files).toBeGreaterThan(5000);
  expect(facts.bytes / facts.files).toBeLessThan(8000);
});
