import type { Check } from '../check.ts';
import { copiers, copyRepository } from '../copy-repository.ts';
import { expectEqual } from '../expectations.ts';
import { tipOf, treeAt, type Descriptor } from '../repository-files.ts';

export const migrationCopy: Check = {
  number: 29,
  title: 'migration copy',
  expected: 'worktree metadata and state preserved',
  everywhere: true,
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository();
    await ada.ok('worktree', 'create', 'spare', '--from', id, '--label', 'a label');
    await c.write(`${repo.main}/second.txt`, 'second\n');
    const { snapshot_id: head } = await ada.json<Descriptor>('snapshot', 'second');
    const portable = ['worktrees', 'state', 'descriptors', 'manifests', 'snapshots', 'audit'];
    const before = portable.map((folder) => treeAt(`${repo.control}/${folder}`));
    const list = async (user: typeof ada): Promise<object[]> => {
      const worktrees = await user.json<{ name: string; config: object; head_snapshot_id: string | null }[]>(
        'worktree',
        'list',
      );
      return worktrees.map(({ name, config, head_snapshot_id }) => ({ name, config, head_snapshot_id }));
    };
    const worktrees = await list(ada);
    const history = await ada.json('history', '--all');

    for (const program of await copiers(c)) {
      const copy = await copyRepository(c, repo, `${c.dir}/copied-by-${program}`, program);
      const there = ada.at(copy.main);
      await there.ok('doctor', '--repair-runtime');

      for (const [index, folder] of portable.entries()) {
        if (folder !== 'audit')
          expectEqual(treeAt(`${copy.control}/${folder}`), before[index], `${folder}/ of a copy by ${program}`);
      }
      expectEqual(await list(there), worktrees, `The worktrees of a copy by ${program}`);
      expectEqual(await there.json('history', '--all'), history, `The history of a copy by ${program}`);
      expectEqual(tipOf(copy).head_snapshot_id, head, 'The head');
      expectEqual(
        treeAt(`${copy.root}/worktrees/spare`),
        treeAt(`${repo.root}/worktrees/spare`),
        'The payload of spare',
      );
      // The lock travels too: its holder may go on, and the copy has a history of its own from here.
      const next = await there.json<Descriptor>('snapshot', 'in the copy');
      expectEqual(next.parent_snapshot_id, head, 'The parent of a snapshot in the copy');
      await there.ok('verify', '--all');
    }
    expectEqual(tipOf(repo).head_snapshot_id, head, 'The head of the original');
  },
};
