import type { Check } from '../check.ts';
import { hashWithout } from '../canonical.ts';
import { expectEqual } from '../expectations.ts';
import { auditRecords, repositoryAt, slot } from '../repository-files.ts';

export const auditChain: Check = {
  number: 15,
  title: 'audit chain; edited, removed, cut off by more than one record of a worktree',
  expected: 'validates; E_AUDIT_CHAIN_BROKEN',
  run: async (c) => {
    const { repo: original, ada } = await c.savedRepository();
    await ada.ok('snapshot', 'second');
    await ada.ok('snapshot', 'third');

    let previous = '';
    for (const [index, record] of auditRecords(original).entries()) {
      expectEqual(record.seq, index + 1, `seq of audit record ${index + 1}`);
      expectEqual(record.prev_hash, previous, `prev_hash of audit record ${record.seq}`);
      previous = hashWithout(record, 'record_hash');
      expectEqual(record.record_hash, previous, `record_hash of audit record ${record.seq}`);
    }
    const { valid, count } = await ada.json<{ valid: boolean; count: number }>('audit', 'verify');
    expectEqual({ valid, count }, { valid: true, count: 5 }, 'What audit verify reports');

    const damages: [name: string, damage: (audit: string) => Promise<void>][] = [
      ['edited', (audit) => c.edit(slot(audit, 2), '"lock_acquire"', '"lock_release"')],
      ['removed', (audit) => c.remove(slot(audit, 3))],
      ['removed-first', (audit) => c.remove(slot(audit, 1))],
      ['cut-off', (audit) => c.remove(slot(audit, 4), slot(audit, 5))],
    ];
    for (const [name, damage] of damages) {
      const root = `${c.dir}/${name}`;
      await c.run('cp', '-a', original.root, root);
      const { control, main } = repositoryAt(root);
      await damage(`${control}/audit`);

      const there = ada.at(main);
      await there.refused('E_AUDIT_CHAIN_BROKEN', 'audit', 'verify');
      await there.refused('E_AUDIT_CHAIN_BROKEN', 'verify', '--all');
      const { healthy } = await there.report<{ healthy: boolean }>('doctor', '--strict');
      expectEqual(healthy, false, `healthy of a repository whose audit chain was ${name}`);
    }

    // One newest record that is missing looks like a crash, and is none of these.
    await c.remove(slot(`${original.control}/audit`, 5));
    await ada.ok('audit', 'verify');
  },
};
