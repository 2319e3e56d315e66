import type { Check } from '../check.ts';
import { expectEqual, expectThat } from '../expectations.ts';
import { planOfOld, repositoryWithOldSnapshots } from '../old-snapshots.ts';
import { auditRecords, namesIn, publishedFiles, type Descriptor } from '../repository-files.ts';

const STEPS = ['rundir', 'mark', 'move', 'tombstone', 'descriptor', 'manifest', 'tree', 'done'];
const UNMARKED = ['rundir'];

export const interruptedGc: Check = {
  number: 13,
  title: 'gc fails midway, again',
  expected: 'consistent',
  everywhere: true,
  run: async (c) => {
    const { repo: original, ada, head, old } = await repositoryWithOldSnapshots(c);
    const plan = await planOfOld(ada);
    expectEqual(plan.to_delete, old, 'to_delete of the plan');

    for (const step of STEPS) {
      const where = `after gc run was killed at gc:${step}`;
      const root = `${c.dir}/killed-at-${step}`;
      await c.run('cp', '-a', original.root, root);
      const repo = { root, control: `${root}/.jvs`, main: `${root}/main` };
      const there = ada.at(repo.main);
      await there.killedAt(`gc:${step}`, 'gc', 'run', '--plan-id', plan.plan_id);

      const isCondemned = auditRecords(repo).at(-1)?.condemned_plan === plan.plan_id;
      const isOpen = !UNMARKED.includes(step) && step !== 'done';
      expectEqual(isCondemned, isOpen, `Whether the plan is condemned ${where}`);
      await there.ok('gc', 'run', '--plan-id', plan.plan_id).catch((error: unknown) => {
        // The plan that was carried out to its end may be gone.
        if (step !== 'done') throw error;
      });

      const { snapshots, descriptors, manifests } = publishedFiles(repo);
      expectEqual(snapshots, [head], `The snapshots that are left ${where} and run again`);
      expectEqual(descriptors, [`${head}.json`], `The descriptors that are left ${where} and run again`);
      expectThat(manifests?.includes(`${head}.manifest`) === true, `The head must keep its manifest ${where}`);
      const tombstones = namesIn(`${repo.control}/gc/tombstones`);
      expectEqual(
        tombstones,
        old.map((id) => `${id}.json`),
        `The tombstones ${where} and run again`,
      );
      const history = await there.json<Descriptor[]>('history');
      expectEqual(history[0]?.snapshot_id, head, `The newest of the history ${where} and run again`);
      expectEqual(auditRecords(repo).at(-1)?.condemned_plan, null, `The condemned plan ${where} and run again`);
      // Strict, it does all that verify --all does.
      await there.ok('doctor', '--repair-runtime', '--strict');
    }
  },
};
