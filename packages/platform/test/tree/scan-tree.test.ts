import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { allEntries, diffScans, entriesOf, openTreePool, scanTree, type TreePool } from '@jvs/platform/tree';
import { test } from '@jvs/testkit';
import { afterAll, beforeAll, expect } from 'vitest';

let pool: TreePool;
beforeAll(() => {
  pool = openTreePool({ threads: 2 });
});
afterAll(async () => {
  await pool.close();
});

test('finds what find(1) finds, fingerprints included', async ({ dir }) => {
  mkdirSync(`${dir}/a/b/c`, { recursive: true });
  writeFileSync(`${dir}/a/one`, 'one');
  writeFileSync(Buffer.from(`${dir}/a/b/\xff\n \\`, 'latin1'), 'strange');
  symlinkSync('a', `${dir}/link`);
  chmodSync(`${dir}/a/b/c`, 0o1750);

  const scan = await scanTree(pool, dir);

  const format = '%P\\0%i %s %T@ %C@ %#m %U %G\\0';
  const found = execFileSync('find', [dir, '-mindepth', '1', '-printf', format], { encoding: 'latin1' }).split('\0');
  const ours = [...allEntries(scan)].map(({ path, fingerprint, metadata }) => {
    const [ino, size, mtime, ctime, mode] = fingerprint.split(' ');
    const [, uid, gid] = metadata.split(' ');
    const permissions = `0${(Number(mode) & 0o7777).toString(8)}`;
    return `${path}\0${ino} ${size} ${asSeconds(mtime)} ${asSeconds(ctime)} ${permissions} ${uid} ${gid}`;
  });
  expect(ours.sort()).toEqual(pairs(found).sort());
  expect(scan.totals).toEqual({ files: 2, dirs: 3, symlinks: 1, specials: 0, bytes: 10 });
});

test.runIf(process.getuid?.() === 0)('names special files, repeated inodes, mounts and owners', async ({ dir }) => {
  mkdirSync(`${dir}/sub/mounted`, { recursive: true });
  execFileSync('mkfifo', [`${dir}/sub/fifo`]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${dir}/socket`, resolve));
  writeFileSync(`${dir}/first`, '');
  linkSync(`${dir}/first`, `${dir}/sub/second`);
  execFileSync('mount', ['-t', 'tmpfs', 'jvs-test', `${dir}/sub/mounted`]);
  writeFileSync(`${dir}/sub/mounted/hidden`, '');
  execFileSync('chown', ['12:34', `${dir}/first`]);

  const scan = await scanTree(pool, dir).finally(() => execFileSync('umount', [`${dir}/sub/mounted`]));
  server.close();

  expect(scan.specials).toEqual(['socket', 'sub/fifo']);
  expect(scan.hardLinked).toHaveLength(1);
  expect(['first', 'sub/second']).toContain(scan.hardLinked[0]);
  expect(scan.mounts).toEqual(['sub/mounted']);
  expect(entriesOf(scan, 'sub/mounted')).toEqual([]);
  expect(scan.owners.find(({ uid, gid }) => uid === 12 && gid === 34)?.count).toBe(2);
});

test('leaves out what it is told to skip', async ({ dir }) => {
  mkdirSync(`${dir}/skipped/inner`, { recursive: true });
  mkdirSync(`${dir}/sub`);
  for (const path of ['.READY', 'sub/.READY', 'skipped/inner/file']) writeFileSync(`${dir}/${path}`, 'x');

  const scan = await scanTree(pool, dir, { skip: ['.READY', 'skipped'] });

  expect([...allEntries(scan)].map(({ path }) => path)).toEqual(['sub', 'sub/.READY']);
  expect(scan.totals).toEqual({ files: 1, dirs: 1, symlinks: 0, specials: 0, bytes: 1 });
});

test('refuses a root that is missing, a file or a symlink', async ({ dir }) => {
  writeFileSync(`${dir}/file`, '');
  symlinkSync('.', `${dir}/link`);

  await expect(scanTree(pool, `${dir}/nowhere`)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(scanTree(pool, `${dir}/file`)).rejects.toMatchObject({ code: 'ENOTDIR' });
  await expect(scanTree(pool, `${dir}/link`)).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test('says so when a path is too long for the system', async ({ dir }) => {
  const half = `${'x'.repeat(200)}/`.repeat(11);
  mkdirSync(`${dir}/upper/${half}`, { recursive: true });
  mkdirSync(`${dir}/lower/${half}`, { recursive: true });
  renameSync(`${dir}/lower`, `${dir}/upper/${half}/lower`);

  const scan = await scanTree(pool, dir).catch((error: unknown) => error);
  // Back into reach of those who clean up.
  renameSync(`${dir}/upper/${half}/lower`, `${dir}/lower`);

  expect(scan).toMatchObject({ code: 'ENAMETOOLONG', path: expect.stringContaining('lower') });
});

test('an abort ends the scan with its reason, and the pool goes on', async ({ dir }) => {
  for (let n = 0; n < 3000; n += 1) writeFileSync(`${dir}/${n}`, '');
  const reason = new Error('enough');
  const stop = new AbortController();

  const scan = scanTree(pool, dir, { signal: stop.signal });
  stop.abort(reason);

  await expect(scan).rejects.toBe(reason);
  expect((await scanTree(pool, dir)).totals.files).toBe(3000);
});

test('a difference names the topmost added, removed and changed paths, and no directory for its times', async ({
  dir,
}) => {
  for (const path of ['keep', 'gone/inner', 'mode', 'replaced', 'type'])
    mkdirSync(`${dir}/${path}`, { recursive: true });
  for (const path of ['keep/same', 'keep/edited', 'gone/inner/file', 'replaced/file'])
    writeFileSync(`${dir}/${path}`, 'x');
  const before = await scanTree(pool, dir);
  writeFileSync(`${dir}/keep/edited`, 'xy');
  mkdirSync(`${dir}/keep/new/inner`, { recursive: true });
  rmSync(`${dir}/gone`, { recursive: true });
  chmodSync(`${dir}/mode`, 0o700);
  renameSync(`${dir}/replaced`, `${dir}/moved`);
  mkdirSync(`${dir}/replaced`);
  rmSync(`${dir}/type`, { recursive: true });
  writeFileSync(`${dir}/type`, '');

  const after = await scanTree(pool, dir);

  expect(diffScans(before, before)).toEqual([]);
  const topmost = ['gone', 'keep/edited', 'keep/new', 'mode', 'moved', 'replaced', 'type'];
  expect(diffScans(before, after)).toEqual(topmost);
  expect(diffScans(after, before)).toEqual(topmost);
});

function asSeconds(ns = ''): string {
  return `${ns.slice(0, -9)}.${ns.slice(-9)}0`;
}

function pairs(fields: string[]): string[] {
  return fields.flatMap((path, index) => (index % 2 === 0 && path !== '' ? [`${path}\0${fields[index + 1]}`] : []));
}
