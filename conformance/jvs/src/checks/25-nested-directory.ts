import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';

export const nestedDirectory: Check = {
  number: 25,
  title: 'nested working directory',
  expected: 'right worktree',
  run: async (c) => {
    const { repo, ada } = await c.repository();
    await ada.ok('worktree', 'create', 'spare');
    const spare = `${repo.root}/worktrees/spare`;
    // Names that could mislead a program that looks at text: a payload that looks like a repository's own folders.
    const places: [directory: string, worktree: string][] = [
      [repo.main, 'main'],
      [`${repo.main}/a/b/c`, 'main'],
      [`${repo.main}/worktrees/spare`, 'main'],
      [spare, 'spare'],
      [`${spare}/deep/er`, 'spare'],
      [`${spare}/main`, 'spare'],
    ];
    for (const [directory, worktree] of places) {
      await c.run('mkdir', '-p', directory);
      const there = await ada.at(directory).json<{ worktree: string }>('status');
      expectEqual(there.worktree, worktree, `The worktree that status names in ${directory.replace(c.dir, '')}`);
    }
    for (const directory of [repo.root, repo.control, `${repo.root}/worktrees`]) {
      await ada.at(directory).refused('E_NOT_IN_WORKTREE', 'status');
    }
    await ada.at(c.dir).refused('E_NOT_A_REPOSITORY', 'status');

    await ada.at(`${spare}/deep/er`).ok('lock', 'acquire');
    const { mine } = await ada.at(spare).json<{ mine: boolean }>('lock', 'status');
    const { state } = await ada.at(repo.main).json<{ state: string }>('lock', 'status');
    expectEqual(
      { mine, main: state },
      { mine: true, main: 'free' },
      'The locks after an acquire deep in worktree spare',
    );
  },
};
