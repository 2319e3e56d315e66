import type { Check } from '../check.ts';
import { expectEqual, expectThat } from '../expectations.ts';
import { descriptorOf, type Descriptor } from '../repository-files.ts';

export const bestEffort: Check = {
  number: 5,
  title: 'best_effort snapshot',
  expected: 'risk label in history',
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository();

    const risky = await ada.json<Descriptor>('snapshot', 'in a hurry', '--consistency', 'best_effort');

    const stored = descriptorOf(repo, risky.snapshot_id).consistency_level;
    expectEqual(stored, 'best_effort', 'consistency_level in the descriptor');
    const history = await ada.json<{ snapshot_id: string; risk_labels: string[] }[]>('history');
    const labels = history.map(({ snapshot_id, risk_labels }) => [snapshot_id, risk_labels]);
    expectEqual(
      labels,
      [
        [risky.snapshot_id, ['best_effort']],
        [id, []],
      ],
      'risk_labels in the history',
    );
    const lines = (await ada.ok('history')).split('\n');
    const [newest = '', older = ''] = lines;
    expectThat(newest.includes('[best_effort]'), `The history must mark the snapshot with [best_effort]: ${newest}`);
    expectThat(!older.includes('[best_effort]'), `The history must not mark the other one: ${older}`);
  },
};
