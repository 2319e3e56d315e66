import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { findRoot } from '../src/repository.ts';
import { findWorktree, openWorktree } from '../src/worktree/worktree.ts';
import { pretty } from './fixtures/canonical.ts';
import { CONFIG, REPO_ID } from './fixtures/vectors.ts';
import { callerNamed, open, test } from './fixtures/world.ts';

describe('opening a repository', () => {
  test('finds it from anywhere inside', async ({ dir, fresh }) => {
    mkdirSync(`${fresh.root}/main/a/b`, { recursive: true });

    expect(fresh).toMatchObject({
      root: `${dir}/repo`,
      id: REPO_ID,
      formatVersion: 1,
      caller: callerNamed(dir, 'ada'),
    });
    expect(await findRoot(`${fresh.root}/main/a/b`)).toBe(fresh.root);
    expect(await findRoot(dir)).toBeUndefined();
    expect(await findRoot(`${dir}/missing`)).toBeUndefined();
  });

  test('takes the nearest directory .jvs, and no file of that name', async ({ fresh }) => {
    mkdirSync(`${fresh.root}/main/inner/.jvs`, { recursive: true });
    writeFileSync(`${fresh.root}/main/.jvs`, '');

    expect(await findRoot(`${fresh.root}/main`)).toBe(fresh.root);
    expect(await findRoot(`${fresh.root}/main/inner`)).toBe(`${fresh.root}/main/inner`);
  });

  test.for([
    ['2\n', 'E_FORMAT_UNSUPPORTED'],
    ['10\n', 'E_FORMAT_UNSUPPORTED'],
    ['99999999999999999999999\n', 'E_FORMAT_UNSUPPORTED'],
    ['', 'E_DESCRIPTOR_CORRUPT'],
    ['1', 'E_DESCRIPTOR_CORRUPT'],
    ['01\n', 'E_DESCRIPTOR_CORRUPT'],
    ['1\r\n', 'E_DESCRIPTOR_CORRUPT'],
    ['1\n\n', 'E_DESCRIPTOR_CORRUPT'],
    ['0\n', 'E_DESCRIPTOR_CORRUPT'],
    ['-2\n', 'E_DESCRIPTOR_CORRUPT'],
    ['two\n', 'E_DESCRIPTOR_CORRUPT'],
  ] as const)('of format version %j is %s', async ([text, code], { dir, fresh }) => {
    writeFileSync(fresh.layout.formatVersion, text);
    // Before anything else is read: a wrong id does not matter then.
    if (code === 'E_FORMAT_UNSUPPORTED') writeFileSync(fresh.layout.repoId, '?');

    await expect(open(dir)).rejects.toMatchObject({ code });
  });

  test.for(['', 'repo\n', `${REPO_ID.toUpperCase()}\n`])('with the id %j is corrupt', async (text, { dir, fresh }) => {
    writeFileSync(fresh.layout.repoId, text);

    await expect(open(dir)).rejects.toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
  });

  test('without its control files is corrupt', async ({ dir, fresh }) => {
    rmSync(fresh.layout.repoId);
    await expect(open(dir)).rejects.toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
    rmSync(fresh.layout.formatVersion);
    await expect(open(dir)).rejects.toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
  });
});

describe('the worktree of a place', () => {
  test('is main below main, and the named one below worktrees', async ({ fresh }) => {
    mkdirSync(`${fresh.root}/main/deep/er`, { recursive: true });
    mkdirSync(`${fresh.root}/worktrees/second/deep`, { recursive: true });
    mkdirSync(fresh.layout.worktreeMeta('second'));
    writeFileSync(fresh.layout.worktreeConfig('second'), pretty({ ...CONFIG, label: 'second' }));
    symlinkSync('main/deep', `${fresh.root}/shortcut`);

    expect((await findWorktree(fresh, `${fresh.root}/main`)).name).toBe('main');
    expect((await findWorktree(fresh, `${fresh.root}/main/deep/er`)).name).toBe('main');
    expect((await findWorktree(fresh, `${fresh.root}/worktrees/second/deep`)).name).toBe('second');
    expect((await findWorktree(fresh, `${fresh.root}/shortcut`)).name).toBe('main');
  });

  test('is none elsewhere', async ({ dir, fresh }) => {
    mkdirSync(`${fresh.root}/worktrees/stray`, { recursive: true });
    mkdirSync(`${fresh.root}/mainly`);

    for (const place of [
      fresh.root,
      `${fresh.root}/worktrees`,
      `${fresh.root}/worktrees/stray`,
      `${fresh.root}/mainly`,
      fresh.layout.control,
      dir,
    ]) {
      await expect(findWorktree(fresh, place)).rejects.toMatchObject({ code: 'E_NOT_IN_WORKTREE' });
    }
  });

  test('is opened by name, unless that leads outside', async ({ dir, fresh }) => {
    expect((await openWorktree(fresh, 'main')).path).toBe(`${fresh.root}/main`);
    await expect(openWorktree(fresh, 'second')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await expect(openWorktree(fresh, '../main')).rejects.toMatchObject({ code: 'E_NAME_INVALID' });

    mkdirSync(`${dir}/outside`);
    rmSync(`${fresh.root}/main`, { recursive: true });
    symlinkSync(`${dir}/outside`, `${fresh.root}/main`);
    await expect(openWorktree(fresh, 'main')).rejects.toMatchObject({ code: 'E_PATH_ESCAPE' });
  });
});
