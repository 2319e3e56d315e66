import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { openTreePool, readTree, scanTree, type ReadOptions, type TreePool } from '@jvs/platform/tree';
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

test('reads what a naive walk reads, whatever the names, sizes and modes', async ({ dir }) => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(trees(), async (tree) => {
      const root = `${dir}/${(run += 1)}`;
      mkdirSync(root);
      makeTree(Buffer.from(root), tree);

      const [reading, scan] = await Promise.all([readTree(pool, root), scanTree(pool, root)]);

      expect(reading.entries.sort()).toEqual(naiveEntries(root).sort());
      expect(reading.totals).toEqual(scan.totals);
      expect(reading.owners.map(({ count }) => count)).toEqual(scan.owners.map(({ count }) => count));
    }),
    { numRuns: 60 },
  );
});

test('hashes every byte of files of any size', async ({ dir }) => {
  const sizes = [0, 1, 4095, 4096, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 5_000_001];
  const contents = sizes.map((size) => Buffer.from(Uint8Array.from({ length: size }, (_, index) => index % 251)));
  for (const content of contents) writeFileSync(`${dir}/${content.length}`, content, { mode: 0o640 });

  const { entries } = await readTree(pool, dir);

  const expected = contents.map(
    (content) => `${content.length}\0file 0640 ${content.length} ${createHash('sha256').update(content).digest('hex')}`,
  );
  expect(entries.sort()).toEqual(expected.sort());
});

test('reads the named subtrees only, or the named entries alone', async ({ dir }) => {
  mkdirSync(`${dir}/a/b`, { recursive: true });
  for (const path of ['a/b/file', 'a/other', 'top']) writeFileSync(`${dir}/${path}`, path);

  const subtree = await readTree(pool, dir, { paths: ['a/b', 'gone'] });
  const alone = await readTree(pool, dir, { paths: ['a', 'top'], deep: false });
  const rest = await readTree(pool, dir, { skip: ['a/b', 'top'] });

  expect(pathsOf(subtree.entries)).toEqual(['a/b', 'a/b/file']);
  expect(pathsOf(alone.entries)).toEqual(['a', 'top']);
  expect(pathsOf(rest.entries)).toEqual(['a', 'a/other']);
});

test.for<[string, ReadOptions, string[]]>([
  ['all of the tree', {}, ['a-b', 'a/x', 'a/y/z', '\xff']],
  ['nothing', { only: [] }, []],
  ['a file beside a directory of the same beginning', { only: ['a-b'] }, ['a-b']],
  [
    'what is below directories, dealt out by subtree',
    { paths: ['a', 'a-b'], only: ['a-b', 'a/y/z'] },
    ['a-b', 'a/y/z'],
  ],
  ['what is named without what is below', { paths: ['a', 'a-b'], deep: false, only: ['a-b', 'a/x'] }, ['a-b']],
  ['a name that is no UTF-8', { only: ['\xff'] }, ['\xff']],
  ['no name that is not there', { only: ['a', 'a/xx', 'b'] }, []],
])('reads of %s', async ([, options, read], { dir }) => {
  mkdirSync(`${dir}/a/y`, { recursive: true });
  for (const name of ['a-b', 'a/x', 'a/y/z', '\xff']) writeFileSync(Buffer.from(`${dir}/${name}`, 'latin1'), 'text');
  const { mtimeNs } = lstatSync(`${dir}/a-b`, { bigint: true });
  const hash = createHash('sha256').update('text').digest('hex');

  const { entries, totals } = await readTree(pool, dir, options);

  const files = entries.filter((entry) => entry.includes('\0file '));
  expect(
    files
      .filter((entry) => entry.endsWith(hash))
      .map(pathOf)
      .sort(),
  ).toEqual(read);
  expect(files.filter((entry) => !/ [0-9a-f]{64}$| \?\d+$/.test(entry))).toEqual([]);
  if (options.only?.length === 0) expect(files).toContain(`a-b\0file 0644 4 ?${mtimeNs}`);
  expect(totals.bytes).toBe(4 * files.length);
});

test('names special files and never opens them', async ({ dir }) => {
  mkdirSync(`${dir}/sub`);
  execFileSync('mkfifo', [`${dir}/sub/fifo`]);

  const reading = await readTree(pool, dir);

  expect(reading.specials).toEqual(['sub/fifo']);
  expect(pathsOf(reading.entries)).toEqual(['sub']);
});

test('leaves no trace on what it reads: access times stay', async ({ dir }) => {
  writeFileSync(`${dir}/file`, 'content');
  execFileSync('touch', ['-a', '-d', '2001-01-01', `${dir}/file`]);

  await readTree(pool, dir);

  expect(lstatSync(`${dir}/file`).atime.getUTCFullYear()).toBeLessThan(2002);
});

test('an error names the entry in its display form', async () => {
  // Reading this file of the process that reads fails with EIO for everyone, at its first byte.
  await expect(readTree(pool, '/proc/self', { paths: ['mem'] })).rejects.toMatchObject({
    code: 'EIO',
    path: '/proc/self/mem',
  });
  await expect(readTree(pool, '/nowhere')).rejects.toMatchObject({ code: 'ENOENT' });
});

type Tree = Map<string, Node>;
type Node =
  | { kind: 'file'; content: Uint8Array; mode: number }
  | { kind: 'link'; to: string }
  | { kind: 'dir'; tree: Tree };

function trees(): fc.Arbitrary<Tree> {
  const byte = fc.integer({ min: 1, max: 255 }).filter((code) => code !== 0x2f);
  const name = fc
    .array(byte, { minLength: 1, maxLength: 20 })
    .map((codes) => String.fromCharCode(...codes))
    .filter((text) => text !== '.' && text !== '..');
  const file = fc.record({
    kind: fc.constant('file' as const),
    content: fc.uint8Array({ maxLength: 3000 }),
    mode: fc.integer({ min: 0, max: 0o7777 }),
  });
  const link = fc.record({ kind: fc.constant('link' as const), to: name });
  return fc.letrec<{ tree: Tree; node: Node }>((tie) => ({
    tree: fc.array(fc.tuple(name, tie('node')), { maxLength: 6 }).map((entries) => new Map(entries)),
    node: fc.oneof({ maxDepth: 4 }, file, link, fc.record({ kind: fc.constant('dir' as const), tree: tie('tree') })),
  })).tree;
}

function makeTree(root: Buffer, tree: Tree): void {
  for (const [name, node] of tree) {
    const path = Buffer.concat([root, Buffer.from(`/${name}`, 'latin1')]);
    if (node.kind === 'dir') {
      mkdirSync(path);
      makeTree(path, node.tree);
    } else if (node.kind === 'link') {
      symlinkSync(Buffer.from(node.to, 'latin1'), path);
    } else {
      writeFileSync(path, node.content);
      chmodSync(path, node.mode);
    }
  }
}

function naiveEntries(root: string, dir = ''): string[] {
  const bytes = (path: string): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
  const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
  return readdirSync(bytes(dir), 'buffer').flatMap((name) => {
    const path = `${dir === '' ? '' : `${dir}/`}${name.toString('latin1')}`;
    const stats = lstatSync(bytes(path));
    const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
    if (stats.isDirectory()) return [`${path}\0dir ${mode} - -`, ...naiveEntries(root, path)];
    if (stats.isSymbolicLink()) return [`${path}\0symlink - - ${sha256(readlinkSync(bytes(path), 'buffer'))}`];
    return [`${path}\0file ${mode} ${stats.size} ${sha256(readFileSync(bytes(path)))}`];
  });
}

function pathsOf(entries: readonly string[]): string[] {
  return entries.map(pathOf).sort();
}

function pathOf(entry: string): string {
  return entry.slice(0, entry.indexOf('\0'));
}
