import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { auditRecords, namesIn, publishedFiles } from '../repository-files.ts';

const REFUSED = ['E_NAME_INVALID', 'E_PATH_ESCAPE'];
const TRAVERSAL = '../escape';
const NAMES = [TRAVERSAL, '..', 'a/../../escape', '/tmp/escape', 'a/b', '.hidden', 'a..b', 'x.tmp'];

export const traversalInNames: Check = {
  number: 7,
  title: 'traversal in names',
  expected: 'E_NAME_INVALID or E_PATH_ESCAPE',
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository();
    await ada.ok('worktree', 'create', 'spare');
    const asItIs = (): object => ({
      ...publishedFiles(repo),
      outside: namesIn(c.dir),
      root: namesIn(repo.root),
      worktrees: namesIn(`${repo.root}/worktrees`),
      configs: namesIn(`${repo.control}/worktrees`),
      refs: namesIn(`${repo.control}/refs`),
      audit: auditRecords(repo).length,
    });
    const before = asItIs();

    for (const name of NAMES) await ada.refused(REFUSED, 'worktree', 'create', name);
    await ada.refused(REFUSED, 'restore', id, '--name', TRAVERSAL);
    await ada.refused(REFUSED, 'fork', id, TRAVERSAL);
    await ada.refused(REFUSED, 'ref', 'create', TRAVERSAL, id);
    await ada.refused(REFUSED, 'ref', 'delete', TRAVERSAL);
    await ada.refused(REFUSED, 'worktree', 'path', TRAVERSAL);
    await ada.refused(REFUSED, 'worktree', 'rename', 'spare', TRAVERSAL);
    await ada.refused(REFUSED, 'worktree', 'rename', TRAVERSAL, 'elsewhere');
    await ada.refused(REFUSED, 'worktree', 'remove', TRAVERSAL);
    expectEqual(asItIs(), before, 'The repository, and what lies beside it, after all refusals');

    // A name that is fine, but leads out of the repository through a symlink.
    await c.run('mkdir', 'outside');
    await c.run('mv', `${repo.root}/worktrees`, 'aside');
    await c.run('ln', '-s', `${c.dir}/outside`, `${repo.root}/worktrees`);
    await ada.refused('E_PATH_ESCAPE', 'worktree', 'create', 'linked');
    expectEqual(namesIn(`${c.dir}/outside`), [], 'What lies where the symlink leads');
  },
};
