import type { Check } from '../check.ts';
import { expectEqual, expectThat } from '../expectations.ts';
import { namesIn, tipOf, type Descriptor } from '../repository-files.ts';

interface Report {
  healthy: boolean;
  findings: { category: string; description: string; repair: string | null }[];
}

export const headOrphan: Check = {
  number: 21,
  title: 'head orphan',
  expected: 'detected, advance_head offered and works',
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository();
    await c.write(`${repo.main}/second.txt`, 'second\n');
    await ada.killedAt('publish:descriptor', 'snapshot', 'second');
    await ada.ok('lock', 'release');
    const orphan = c.list(`${repo.control}/snapshots`).find((name) => name !== id) ?? '';

    const { findings } = await ada.report<Report>('doctor', '--strict');
    const finding = findings.find(({ category }) => category === 'head_orphan');
    expectThat(finding !== undefined, `doctor --strict must find head_orphan; it finds ${JSON.stringify(findings)}`);
    const isOffered = JSON.stringify(finding).includes('advance_head');
    expectThat(isOffered, `The finding must offer advance_head: ${JSON.stringify(finding)}`);
    await ada.ok('doctor', '--repair-runtime');
    expectThat(namesIn(`${repo.control}/snapshots`).includes(orphan), 'A runtime repair must not delete the orphan');
    expectEqual(tipOf(repo).head_snapshot_id, id, 'The head after a runtime repair');

    await ada.ok('doctor', '--repair', 'advance_head');

    expectEqual(tipOf(repo).head_snapshot_id, orphan, 'The head after advance_head');
    const history = await ada.json<Descriptor[]>('history');
    expectEqual(
      history.map(({ snapshot_id }) => snapshot_id),
      [orphan, id],
      'The history after advance_head',
    );
    const after = await ada.report<Report>('doctor', '--repair-runtime', '--strict');
    expectEqual(after.healthy, true, 'healthy after advance_head');
    await ada.ok('verify', '--all');
  },
};
