import { ageRepository } from '../age-repository.ts';
import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { planOfOld, repositoryWithOldSnapshots } from '../old-snapshots.ts';

export const refTarget: Check = {
  number: 22,
  title: 'ref target',
  expected: 'never a candidate',
  run: async (c) => {
    const { repo, ada, old } = await repositoryWithOldSnapshots(c);
    const [target = '', ...others] = old;
    expectEqual((await planOfOld(ada)).to_delete, old, 'to_delete before there is a ref');

    await ada.ok('ref', 'create', 'release', target);
    // What an audit record of the last minutes is about is protected without any ref.
    ageRepository(c, repo, 1);

    const plan = await planOfOld(ada);
    expectEqual(plan.to_delete, others, 'to_delete with a ref');
    expectEqual(plan.protected_by_ref, 1, 'protected_by_ref');
    await ada.ok('gc', 'run', '--plan-id', plan.plan_id);
    await ada.ok('verify', target);
    await ada.ok('restore', 'release', '--name', 'from-ref');
  },
};
