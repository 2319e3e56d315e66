import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from '@jvs/testkit';
import { describe, expect } from 'vitest';
import { containedPath, relativeInside } from '../src/contained-path.ts';

const escapes = { code: 'E_PATH_ESCAPE' };

describe('by text', () => {
  test.for([
    ['/r', '/r', ''],
    ['/r', '/r/a/b', 'a/b'],
    ['/r', '/r/a/../b', 'b'],
    ['/r', '/r/..a', '..a'],
    ['/r', '/rr/a', undefined],
    ['/r', '/r/../a', undefined],
    ['/r', '/', undefined],
    ['/r', '/r/..', undefined],
    ['/', '/a', 'a'],
  ] as const)('from %s, %s is %s', ([root, path, expected]) => {
    expect(relativeInside(root, path)).toBe(expected);
  });
});

describe('on disk', () => {
  test('a path below the root is resolved, whether it is there or not', async ({ dir }) => {
    mkdirSync(`${dir}/a`);
    writeFileSync(`${dir}/a/file`, '');

    expect(await containedPath(dir, 'a/file')).toBe(`${dir}/a/file`);
    expect(await containedPath(dir, 'a/b/c/new')).toBe(`${dir}/a/b/c/new`);
    expect(await containedPath(dir, `${dir}/a`)).toBe(`${dir}/a`);
    expect(await containedPath(dir, 'a/../a/file')).toBe(`${dir}/a/file`);
    expect(await containedPath(dir, '')).toBe(dir);
    expect(await containedPath(dir, 'a/..')).toBe(dir);
  });

  test.for(['..', '../other', 'a/../../other', '/etc/passwd', '/'])('%s leaves the root', async (path, { dir }) => {
    await expect(containedPath(dir, path)).rejects.toMatchObject(escapes);
  });

  test('a link in the middle that leads out leaves the root', async ({ dir }) => {
    mkdirSync(`${dir}/root/a`, { recursive: true });
    mkdirSync(`${dir}/outside`);
    symlinkSync(`${dir}/outside`, `${dir}/root/absolute`);
    symlinkSync('../../outside', `${dir}/root/a/relative`);
    symlinkSync('absolute', `${dir}/root/twice`);

    for (const path of ['absolute/x', 'a/relative/x', 'twice/x', 'absolute/deep/er']) {
      await expect(containedPath(`${dir}/root`, path)).rejects.toMatchObject(escapes);
    }
  });

  test('a link in the middle that stays inside is fine', async ({ dir }) => {
    mkdirSync(`${dir}/a`);
    symlinkSync('a', `${dir}/link`);

    expect(await containedPath(dir, 'link/x')).toBe(`${dir}/link/x`);
  });

  test('a link in the middle that leads to nothing is refused', async ({ dir }) => {
    mkdirSync(`${dir}/root`);
    symlinkSync(`${dir}/later`, `${dir}/root/link`);

    await expect(containedPath(`${dir}/root`, 'link/x')).rejects.toThrow(Error);
  });

  test('the last component may be a link: it is never followed', async ({ dir }) => {
    mkdirSync(`${dir}/root`);
    symlinkSync('/etc', `${dir}/root/link`);

    expect(await containedPath(`${dir}/root`, 'link')).toBe(`${dir}/root/link`);
  });

  test('a root that is itself reached through a link is a root', async ({ dir }) => {
    mkdirSync(`${dir}/real/a`, { recursive: true });
    symlinkSync('real', `${dir}/root`);

    expect(await containedPath(`${dir}/root`, 'a/x')).toBe(`${dir}/root/a/x`);
  });
});
