import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { openTreePool, readTree, scanTree, type TreePool } from '@jvs/platform/tree';
import { cloneAndRead, copyEngine, stalePaths, updateClone } from '@jvs/snapshot-engine';
import { test } from '@jvs/testkit';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect } from 'vitest';

let pool: TreePool;
beforeAll(() => {
  pool = openTreePool({ threads: 2 });
});
afterAll(async () => {
  await pool.close();
});

type Step =
  | { path: string; what: 'file' | 'link' | 'dir' | 'fifo' | 'remove' }
  | { path: string; what: 'move'; to: string };

const path = fc
  .array(fc.constantFrom('a', 'b', '-c', 'd\n', "e'", 'ä'), { minLength: 1, maxLength: 4 })
  .map((names) => names.join('/'));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ path, what: fc.constantFrom('file', 'file', 'link', 'dir', 'fifo', 'remove') }),
  fc.record({ path, what: fc.constant('move'), to: path }),
);
const steps = fc.array(step, { maxLength: 25 });

test('whatever happens between scan and clone, one more round gives the tree as it is', async ({ dir }) => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(steps, steps, steps, async (first, meanwhile, passing) => {
      const source = `${dir}/source-${(run += 1)}`;
      const target = `${dir}/target-${run}`;
      mkdirSync(source);
      for (const each of first) take(source, each);
      const before = await scanTree(pool, source);
      for (const each of meanwhile) take(source, each);
      const undo = passing.map((each, index) => takeForNow(source, each, `${dir}/stash-${run}-${index}`));

      const cloned = await cloneAndRead(copyEngine, pool, source, target, { scan: before });
      for (const takeBack of undo.reverse()) takeBack();
      const scan = await scanTree(pool, source);
      const stale = stalePaths(cloned, before, scan);
      const updated = await updateClone(copyEngine, pool, source, target, cloned, stale, { scan });

      expect(updated.entries).toEqual((await readTree(pool, source)).entries.sort());
      const copy = await readTree(pool, target);
      expect(copy.entries.sort()).toEqual(updated.entries);
      expect(copy.specials).toEqual([]);
      expect(stalePaths(updated, scan, await scanTree(pool, source))).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

/** Does what can be done: a step whose place is taken, or missing, is left out. */
function take(root: string, each: Step): void {
  const at = `${root}/${each.path}`;
  try {
    if (each.what === 'remove') return rmSync(at, { recursive: true, force: true });
    if (each.what === 'move') return renameSync(at, `${root}/${each.to}`);
    mkdirSync(dirname(at), { recursive: true });
    if (each.what === 'dir') mkdirSync(at, { mode: 0o750 });
    else if (each.what === 'link') symlinkSync('somewhere', at);
    else if (each.what === 'fifo' && lstatSync(at, { throwIfNoEntry: false }) === undefined)
      execFileSync('mkfifo', [at]);
    else if (each.what === 'file') writeFileSync(at, `${each.path}`, { flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
  }
}

/** As {@link take}, with files of other sizes; returns what brings back the very entries that were there. */
function takeForNow(root: string, each: Step, stash: string): () => void {
  const at = `${root}/${each.path}`;
  try {
    if (each.what === 'move') {
      const to = `${root}/${each.to}`;
      // Over an empty directory or a file, a rename would be final.
      if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) return () => {};
      renameSync(at, to);
      return () => renameSync(to, at);
    }
    const wasThere = lstatSync(at, { throwIfNoEntry: false }) !== undefined;
    if (wasThere) renameSync(at, stash);
    const made = each.what === 'remove' ? undefined : mkdirSync(dirname(at), { recursive: true });
    const top = made ?? at;
    if (each.what === 'dir') mkdirSync(at, { mode: 0o700 });
    else if (each.what === 'link') symlinkSync('somewhere', at);
    else if (each.what === 'fifo') execFileSync('mkfifo', [at]);
    else if (each.what === 'file') writeFileSync(at, 'only for now, and longer than any path here');
    return () => {
      rmSync(top, { recursive: true, force: true });
      if (wasThere) renameSync(stash, at);
    };
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    return () => {};
  }
}
