import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';

import { test, type Descriptor, type SavedRepository, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

const BAD_NAMES = [
  '',
  'a b',
  'a/b',
  '../up',
  '..',
  '.',
  'a..b',
  '.hidden',
  'x.tmp',
  'x.gone',
  'x.lock',
  'HEAD',
  '1771578748123-0a1b2c3d',
  'caf\u00e9',
  'cafe\u0301',
  'new\nline',
  'tab\t',
  'x'.repeat(129),
  '/etc/passwd',
  'a\\b',
];

describe('names', () => {
  test('that are refused, for a worktree', async ({ repo, ada }) => {
    const codes = await Promise.all(
      BAD_NAMES.map(async (name) => {
        const result = await ada.run(['--json', 'worktree', 'create', '--', name]);
        const code = /jvs: (E_[A-Z_]+):/.exec(result.stderr)?.[1];
        return [name, result.exitCode, code];
      }),
    );

    for (const [name, exitCode, code] of codes) {
      expect({ name, exitCode, code }).toEqual({
        name,
        exitCode: 1,
        code: expect.stringMatching(/^E_(NAME_INVALID|PATH_ESCAPE)$/),
      });
    }
    expect(readdirSync(`${repo.control}/worktrees`)).toEqual(['main']);
  });

  test('that begin with a dash are refused after --', async ({ repo, ada }) => {
    await ada.fails(['worktree', 'create', '--', '-x'], 'E_NAME_INVALID');
    expect(readdirSync(`${repo.control}/worktrees`)).toEqual(['main']);
  });

  test.for(['.repo', 'a..b', 'x.lock', 'caf\u00e9', 'HEAD'])(
    'that are refused, for a repository: %s',
    async (name, { dir, ada }) => {
      await ada.fails(['init', name], 'E_NAME_INVALID');
      expect(readdirSync(dir)).toEqual(['home-ada']);
    },
  );

  test('that are allowed', async ({ repo, ada }) => {
    const names = ['a', 'A-b_c.d', '0', 'x'.repeat(128), '_', 'tmp', 'lock.x'];
    for (const name of names) await ada.ok(['worktree', 'create', name]);

    expect(readdirSync(`${repo.control}/worktrees`).toSorted()).toEqual(['main', ...names].toSorted());
  });

  test('are unique without regard to case', async ({ repo, ada }) => {
    await ada.ok(['worktree', 'create', 'Feature']);

    const result = await ada.run(['worktree', 'create', 'feature']);

    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^jvs: E_(EXISTS|NAME_INVALID): /m);
    expect(readdirSync(`${repo.control}/worktrees`).toSorted()).toEqual(['Feature', 'main']);
  });

  test('main cannot be created', async ({ repo, ada }) => {
    const result = await ada.run(['worktree', 'create', 'main']);

    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^jvs: E_(EXISTS|NAME_INVALID): /m);
    expect(readdirSync(repo.root).toSorted()).toEqual(['.jvs', 'main']);
  });

  test('of tags follow the same rule', async ({ saved, ada }) => {
    await ada.fails(['snapshot', '--tag', 'not ok'], 'E_NAME_INVALID');
    expect(readdirSync(`${saved.control}/descriptors`)).toHaveLength(1);
  });

  test('are checked before any path is formed: ids too', async ({ saved, ada }) => {
    for (const id of ['../../main', '1771578748123-0a1b2c3d/..', '1771578748123-0A1B2C3D']) {
      const result = await ada.run(['restore', id]);
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toMatch(/^jvs: E_(NOT_FOUND|NAME_INVALID|PATH_ESCAPE): /m);
    }
    expect(existsSync(`${saved.root}/worktrees`) ? readdirSync(`${saved.root}/worktrees`) : []).toEqual([]);
  });
});

describe('snapshot expressions', () => {
  const resolved = async (user: User, expression: string) =>
    (await user.json<{ snapshot_id: string }>(['verify', expression, '--no-payload'])).snapshot_id;

  test('full id, HEAD, HEAD~n, <worktree>:HEAD, start of the id, start of its random part', async ({ saved, ada }) => {
    const second = (await ada.json<Descriptor>(['snapshot', 'second'])).snapshot_id;
    await ada.ok(['worktree', 'create', 'old', '--from', saved.id]);

    expect(await resolved(ada, saved.id)).toBe(saved.id);
    expect(await resolved(ada, 'HEAD')).toBe(second);
    expect(await resolved(ada, 'HEAD~0')).toBe(second);
    expect(await resolved(ada, 'HEAD~1')).toBe(saved.id);
    expect(await resolved(ada, 'main:HEAD~1')).toBe(saved.id);
    expect(await resolved(ada, 'old:HEAD')).toBe(saved.id);
    expect(await resolved(ada, second.slice(14, 18))).toBe(second);
    expect(await resolved(ada, second.slice(0, 20))).toBe(second);
  });

  test('that match several are E_AMBIGUOUS_ID, with the list', async ({ saved, ada }) => {
    const second = (await ada.json<Descriptor>(['snapshot', 'second'])).snapshot_id;

    const error = await ada.fails(['verify', saved.id.slice(0, 6)], 'E_AMBIGUOUS_ID');

    expect(JSON.stringify(error.details)).toContain(saved.id);
    expect(JSON.stringify(error.details)).toContain(second);
  });

  test.for(['HEAD~1', 'nowhere:HEAD', 'ffff', '1771578748123-ffffffff', 'v1.0'])(
    'that match nothing are E_NOT_FOUND: %s',
    async (expression, { saved, ada }) => {
      expect(saved.id.slice(14)).not.toMatch(/^ffff/);
      await ada.fails(['verify', expression], 'E_NOT_FOUND');
    },
  );

  test('need six characters of the id and four of the random part', async ({ saved, ada }) => {
    await ada.fails(['verify', saved.id.slice(0, 5)], 'E_NOT_FOUND');
    await ada.fails(['verify', saved.id.slice(14, 17)], 'E_NOT_FOUND');
  });

  test('HEAD of a worktree without snapshots is E_NOT_FOUND', async ({ repo, ada }) => {
    expect(readdirSync(`${repo.control}/descriptors`)).toEqual([]);
    await ada.fails(['restore', 'HEAD'], 'E_NOT_FOUND');
  });
});

describe('discovery', () => {
  test('from a nested directory finds the right worktree', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'second', '--from', saved.id]);
    for (const [folder, worktree] of [
      [`${saved.main}/deep/er`, 'main'],
      [`${saved.root}/worktrees/second/deep/er`, 'second'],
    ] as const) {
      mkdirSync(folder, { recursive: true });
      expect(await ada.at(folder).json(['status'])).toMatchObject({ worktree });
    }
  });

  test('at the root knows the repository but no worktree', async ({ saved, ada }) => {
    const atRoot = ada.at(saved.root);

    expect(await atRoot.json(['info'])).toMatchObject({ repo_root: saved.root });
    await atRoot.fails(['status'], 'E_NOT_IN_WORKTREE');
    await atRoot.fails(['snapshot'], 'E_NOT_IN_WORKTREE');
    await atRoot.fails(['lock', 'acquire'], 'E_NOT_IN_WORKTREE');
    await ada.at(saved.control).fails(['status'], 'E_NOT_IN_WORKTREE');
    expect(await atRoot.json(['status', '--worktree', 'main'])).toMatchObject({ worktree: 'main' });
  });

  test('below worktrees/ of a name without config.json is no worktree', async ({ saved, ada }) => {
    mkdirSync(`${saved.root}/worktrees/stranger`, { recursive: true });

    await ada.at(`${saved.root}/worktrees/stranger`).fails(['status'], 'E_NOT_IN_WORKTREE');
  });

  test('outside is E_NOT_A_REPOSITORY, with a hint', async ({ dir, ada }) => {
    for (const args of [['info'], ['status'], ['snapshot'], ['history'], ['verify'], ['doctor'], ['audit', 'show']]) {
      const error = await ada.at(dir).fails(args, 'E_NOT_A_REPOSITORY');
      expect(error.hint).toContain('jvs init');
    }
  });

  test('passes over a file named .jvs', async ({ saved, ada }) => {
    mkdirSync(`${saved.main}/deep`);
    writeFileSync(`${saved.main}/deep/.jvs`, 'mine');

    expect(await ada.at(`${saved.main}/deep`).json(['status'])).toMatchObject({ worktree: 'main' });
  });

  test('believes PWD only if it names the working directory', async ({ dir, saved, ada }) => {
    symlinkSync(saved.main, `${dir}/shortcut`);

    const lied = ada.at(dir).with({ PWD: saved.main });
    await lied.fails(['info'], 'E_NOT_A_REPOSITORY');
    const plain = ada.at(`${dir}/shortcut`);
    expect(await plain.json(['status'])).toMatchObject({ worktree: 'main' });
  });

  test('-C sets the directory', async ({ dir, saved, ada }) => {
    expect(await ada.at(dir).json(['-C', saved.main, 'status'])).toMatchObject({ worktree: 'main' });
    expect(await ada.at(dir).json(['-C', 'repo', 'info'])).toMatchObject({ repo_root: saved.root });
  });
});

describe('a path that leaves the root through a symlink is E_PATH_ESCAPE', () => {
  const replaced = async (saved: SavedRepository, dir: string, path: string, args: string[], ada: User) => {
    renameSync(path, `${dir}/outside`);
    symlinkSync(`${dir}/outside`, path);
    return ada.fails(args, 'E_PATH_ESCAPE');
  };

  test('a payload', async ({ dir, saved, ada }) => {
    await ada.ok(['worktree', 'create', 'second', '--from', saved.id]);
    await ada.ok(['lock', 'acquire', '--worktree', 'second']);

    const args = ['snapshot', '--worktree', 'second'];
    await replaced(saved, dir, `${saved.root}/worktrees/second`, args, ada.at(saved.root));

    expect(readdirSync(`${saved.control}/descriptors`)).toHaveLength(1);
  });

  test('a snapshot', async ({ dir, saved, ada }) => {
    await replaced(saved, dir, `${saved.control}/snapshots/${saved.id}`, ['restore', saved.id, '--name', 'x'], ada);
    expect(existsSync(`${saved.root}/worktrees/x`)).toBe(false);
  });

  test('the metadata of a worktree', async ({ dir, saved, ada }) => {
    await ada.ok(['worktree', 'create', 'second']);
    await replaced(saved, dir, `${saved.control}/worktrees/second`, ['worktree', 'path', 'second'], ada);
  });

  test('the folder of all worktrees', async ({ dir, saved, ada }) => {
    rmSync(`${saved.root}/worktrees`, { recursive: true, force: true });
    mkdirSync(`${dir}/outside`);
    symlinkSync(`${dir}/outside`, `${saved.root}/worktrees`);

    await ada.fails(['worktree', 'create', 'second'], 'E_PATH_ESCAPE');

    expect(readdirSync(`${dir}/outside`)).toEqual([]);
  });
});
