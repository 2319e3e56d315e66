import { ageRepository } from '../age-repository.ts';
import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { planOfOld, repositoryWithOldSnapshots } from '../old-snapshots.ts';
import { auditRecords, publishedFiles } from '../repository-files.ts';

const UNKNOWN_PLAN = '9d1f6c1e-8a52-4a0b-b6a7-3e5d2c1b0a98';

export const wrongPlan: Check = {
  number: 12,
  title: 'gc run, wrong plan',
  expected: 'E_GC_PLAN_MISMATCH',
  run: async (c) => {
    const { repo, ada, old } = await repositoryWithOldSnapshots(c);
    const before = publishedFiles(repo);
    const refused = async (planId: string, what: string): Promise<void> => {
      await ada.refused('E_GC_PLAN_MISMATCH', 'gc', 'run', '--plan-id', planId);
      expectEqual(publishedFiles(repo), before, `What there is of snapshots after gc run with ${what}`);
    };

    await refused(UNKNOWN_PLAN, 'a plan that does not exist');

    const edited = await planOfOld(ada);
    expectEqual(edited.to_delete, old, 'to_delete of a plan with --scope all');
    const path = `${repo.control}/gc/plans/${edited.plan_id}.json`;
    await c.edit(path, `"candidate_count": ${edited.candidate_count}`, '"candidate_count": 77');
    await refused(edited.plan_id, 'an edited plan');

    const malformed = await planOfOld(ada);
    await c.write(`${repo.control}/gc/plans/${malformed.plan_id}.json`, '{"plan_id":');
    await refused(malformed.plan_id, 'a plan that is no JSON');

    const outdated = await planOfOld(ada);
    await ada.ok('ref', 'create', 'release', old[0] ?? '');
    ageRepository(c, repo, 1);
    await refused(outdated.plan_id, 'a plan from before a ref was made');

    const marks = auditRecords(repo).filter(({ operation }) => operation === 'gc_mark');
    expectEqual(marks, [], 'Audit records that condemn');
    await ada.ok('verify', '--all');
  },
};
