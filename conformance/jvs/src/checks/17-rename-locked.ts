import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { auditRecords, namesIn, stateRecords } from '../repository-files.ts';

export const renameLocked: Check = {
  number: 17,
  title: 'rename of a locked worktree',
  expected: 'E_LOCK_CONFLICT',
  run: async (c) => {
    const { repo, ada, bob } = await c.repository();
    await ada.ok('worktree', 'create', 'spare');
    await ada.ok('-C', `${repo.root}/worktrees/spare`, 'lock', 'acquire');
    const asItIs = (): object => ({
      payloads: namesIn(`${repo.root}/worktrees`),
      configs: namesIn(`${repo.control}/worktrees`),
      state: stateRecords(repo, 'spare'),
      audit: auditRecords(repo),
      tmp: namesIn(`${repo.control}/tmp`),
    });
    const before = asItIs();

    await bob.refused('E_LOCK_CONFLICT', 'worktree', 'rename', 'spare', 'other');
    await ada.refused('E_LOCK_CONFLICT', 'worktree', 'rename', 'spare', 'other');
    expectEqual(asItIs(), before, 'The worktree after refused renames');

    await ada.ok('-C', `${repo.root}/worktrees/spare`, 'lock', 'release');
    await bob.ok('worktree', 'rename', 'spare', 'other');
    expectEqual(namesIn(`${repo.root}/worktrees`), ['other'], 'The payloads after a rename of the unlocked worktree');
    expectEqual(namesIn(`${repo.control}/worktrees`), ['main', 'other'], 'The configurations after that');
  },
};
