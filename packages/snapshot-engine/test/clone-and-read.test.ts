import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { diffScans, openTreePool, readTree, scanTree, type TreePool } from '@jvs/platform/tree';
import { cloneAndRead, copyEngine, updateClone } from '@jvs/snapshot-engine';
import { hasProgram } from '@jvs/services';
import { test } from '@jvs/testkit';
import { afterAll, beforeAll, expect } from 'vitest';
import { makeTree } from '../src/contract-tree.ts';

/** The tree of the contract has extended attributes. */
const canMakeTree = hasProgram('setfattr');
let pool: TreePool;
beforeAll(() => {
  pool = openTreePool();
});
afterAll(async () => {
  await pool.close();
});

test.runIf(canMakeTree)('gives the entries of the copy in manifest order, with totals', async ({ dir }) => {
  const [source, target] = [`${dir}/source`, `${dir}/target`];
  makeTree(source);
  const scan = await scanTree(pool, source);

  const cloned = await cloneAndRead(copyEngine, pool, source, target, { scan });

  const { specials: _, ...totals } = scan.totals;
  expect(cloned.totals).toEqual(totals);
  expect(cloned.entries).toEqual((await readTree(pool, target)).entries.sort());
  expect(cloned.entries).toContain(`large\0file 0640 3145735 ${sha256(readFileSync(`${source}/large`))}`);
  expect(cloned.entries).toContain(`names/\xff\xfe\0file 0644 4 ${sha256('\xff\xfe')}`);
  expect(cloned.entries).toContain(`to-dir\0symlink - - ${sha256('names')}`);
  expect(cloned.entries).toContain('modes/dir-1777\0dir 1777 - -');
});

test.runIf(canMakeTree)('an update leaves the same as a clone of the later tree', async ({ dir }) => {
  const [source, target] = [`${dir}/source`, `${dir}/target`];
  makeTree(source);
  const before = await scanTree(pool, source);
  const first = await cloneAndRead(copyEngine, pool, source, target, { scan: before });
  writeFileSync(`${source}/one-block`, 'other');
  rmSync(`${source}/names`, { recursive: true });
  writeFileSync(`${source}/names`, 'now a file');
  writeFileSync(`${source}/empty-dir/new`, 'new');
  chmodSync(`${source}/modes/dir-700`, 0o711);

  const scan = await scanTree(pool, source);
  const updated = await updateClone(copyEngine, pool, source, target, first, diffScans(before, scan), { scan });

  const fresh = await cloneAndRead(copyEngine, pool, source, `${dir}/fresh`, { scan });
  expect(updated).toEqual(fresh);
});

test('an update reads the directories again whose entries it replaced', async ({ dir }) => {
  const [source, target] = [`${dir}/source`, `${dir}/target`];
  mkdirSync(`${source}/d/kept`, { recursive: true });
  writeFileSync(`${source}/d/file`, 'first');
  const before = await scanTree(pool, source);
  const first = await cloneAndRead(copyEngine, pool, source, target, { scan: before });
  writeFileSync(`${source}/d/file`, 'second');
  chmodSync(`${source}/d`, 0o700);

  const scan = await scanTree(pool, source);
  const updated = await updateClone(copyEngine, pool, source, target, first, ['d/file'], { scan });

  expect(updated.entries).toEqual([
    'd\0dir 0700 - -',
    `d/file\0file 0644 6 ${sha256('second')}`,
    'd/kept\0dir 0755 - -',
  ]);
});

test('a FIFO that turned up after the scan is taken out of the copy again', async ({ dir }) => {
  const [source, target] = [`${dir}/source`, `${dir}/target`];
  mkdirSync(`${source}/sub`, { recursive: true });
  const scan = await scanTree(pool, source);
  execFileSync('mkfifo', [`${source}/sub/fifo`]);

  const cloned = await cloneAndRead(copyEngine, pool, source, target, { scan });

  expect(cloned.entries).toEqual(['sub\0dir 0755 - -']);
  expect(cloned.degradations).toEqual(['special']);
  expect(readdirSync(`${target}/sub`)).toEqual([]);
});

test.runIf(canMakeTree)('an abort ends both halves with its reason', async ({ dir }) => {
  makeTree(`${dir}/source`);
  const scan = await scanTree(pool, `${dir}/source`);
  const reason = new Error('enough');
  const stop = new AbortController();

  const clone = cloneAndRead(copyEngine, pool, `${dir}/source`, `${dir}/target`, {
    scan,
    signal: stop.signal,
    onProgress: () => stop.abort(reason),
  });

  await expect(clone).rejects.toBe(reason);
  expect((await scanTree(pool, `${dir}/source`)).totals).toEqual(scan.totals);
});

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
