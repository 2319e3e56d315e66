import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { publishedFiles, stateRecords, tipOf, type Descriptor } from '../repository-files.ts';
import { refusalIn } from '../user.ts';

export const frozenHolder: Check = {
  number: 3,
  title: 'token changed before the commit: the holder is frozen, its lease stolen, then it thaws',
  expected: 'E_FENCING_MISMATCH, nothing left behind',
  run: async (c) => {
    const { repo, ada, bob, id } = await c.savedRepository({ mustRunOut: true });
    await c.write(`${repo.main}/by-ada.txt`, 'by ada\n');

    const frozen = await ada.frozenAt('publish:descriptor', 'snapshot', '--json', 'by ada');
    await c.leaseRunsOut(repo);
    await bob.ok('lock', 'acquire');
    const byBob = await bob.json<Descriptor>('snapshot', 'by bob');
    const outcome = await c.thawed(frozen);

    refusalIn(outcome, 'E_FENCING_MISMATCH', 'The snapshot of the holder whose lock was stolen');
    const kinds = stateRecords(repo).map(({ kind }) => kind);
    expectEqual(kinds, ['create', 'acquire', 'head', 'steal', 'head'], 'The kinds of state records');
    expectEqual(tipOf(repo).head_snapshot_id, byBob.snapshot_id, 'The head');
    expectEqual(byBob.parent_snapshot_id, id, 'The parent of the snapshot of the new holder');
    const ids = [id, byBob.snapshot_id].toSorted();
    const theirs = {
      snapshots: ids,
      descriptors: ids.map((name) => `${name}.json`),
      manifests: ids.map((name) => `${name}.manifest`),
      intents: [],
      tmp: [],
    };
    expectEqual(publishedFiles(repo), theirs, 'What there is of snapshots');
    await bob.ok('verify', '--all');
    await bob.ok('doctor', '--strict');
  },
};
