import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { namesIn, treeAt } from '../repository-files.ts';

export const noControlFiles: Check = {
  number: 26,
  title: 'after init and worktree create',
  expected: 'no control files in payloads',
  everywhere: true,
  run: async (c) => {
    const { repo, ada } = await c.repository();
    expectEqual(namesIn(repo.root), ['.jvs', 'main'], 'What init makes');
    expectEqual(namesIn(repo.main), [], 'The payload of main after init');

    await ada.ok('worktree', 'create', 'empty');
    expectEqual(namesIn(`${repo.root}/worktrees/empty`), [], 'The payload of a new worktree');

    await c.write(`${repo.main}/hello.txt`, 'hello\n');
    const payload = treeAt(repo.main);
    await ada.ok('lock', 'acquire');
    await ada.ok('snapshot', 'first');
    await ada.ok('worktree', 'create', 'copied', '--from', 'HEAD');
    await ada.ok('restore', 'HEAD', '--name', 'restored');

    expectEqual(treeAt(repo.main), payload, 'The payload of main after a snapshot');
    for (const name of ['copied', 'restored']) {
      const tree = treeAt(`${repo.root}/worktrees/${name}`);
      expectEqual(tree, payload, `The payload of worktree ${name}, made from the snapshot`);
    }
    expectEqual(namesIn(c.dir), ['home-ada', 'home-bob', 'repo'], 'What lies beside the repository');
  },
};
