import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { treeAt } from '../repository-files.ts';

export const newerFormat: Check = {
  number: 16,
  title: 'newer format_version',
  expected: 'E_FORMAT_UNSUPPORTED',
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository();
    const commands = [
      ['info'],
      ['status'],
      ['history'],
      ['snapshot', 'x'],
      ['restore', id],
      ['worktree', 'list'],
      ['worktree', 'create', 'x'],
      ['lock', 'status'],
      ['lock', 'release'],
      ['verify', '--all'],
      ['audit', 'verify'],
      ['doctor'],
      ['doctor', '--repair-runtime'],
    ];
    await c.write(`${repo.control}/format_version`, '2\n');
    const before = treeAt(repo.root);

    for (const args of commands) await ada.refused('E_FORMAT_UNSUPPORTED', ...args);
    expectEqual(treeAt(repo.root), before, 'The files of a repository of a newer format, after all refusals');

    await c.write(`${repo.control}/format_version`, '1\n');
    await ada.ok('verify', '--all');
  },
};
