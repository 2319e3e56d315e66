import { canonical, hashWithout } from '../canonical.ts';
import type { Check } from '../check.ts';
import { expectEqual, expectThat } from '../expectations.ts';
import { descriptorOf, type Descriptor } from '../repository-files.ts';

/** As in descriptor D2 of the test vectors: what JSON escapes, what it does not, and beyond the basic plane. */
const NOTE = 'R&D <v2> \u2028 "q" \\ \t\u0001\u007f \u00e9 \u{1f600}';
const CANONICAL_NOTE = '"R&D <v2> \u2028 \\"q\\" \\\\ \\t\\u0001\u007f \u00e9 \u{1f600}"';

export const descriptorChecksum: Check = {
  number: 24,
  title: 'descriptor checksum',
  expected: 'SHA-256 of the JCS bytes without descriptor_checksum and integrity_state',
  run: async (c) => {
    const { repo, ada } = await c.savedRepository();
    const made = await ada.json<Descriptor>('snapshot', NOTE, '--tag', 'nightly', '--tag', 'v2');

    const stored = descriptorOf(repo, made.snapshot_id);
    const { descriptor_checksum: checksum, integrity_state: state } = stored;
    expectEqual(stored.note, NOTE, 'The note');
    expectThat(canonical(stored).includes(CANONICAL_NOTE), 'The canonical note must be as in the test vectors');
    const value = hashWithout(stored, 'descriptor_checksum', 'integrity_state');
    expectEqual(checksum, { algo: 'sha256', value }, 'descriptor_checksum, computed by hand');

    // The state is outside the checksum, the rest is not.
    const path = `${repo.control}/descriptors/${made.snapshot_id}.json`;
    await c.edit(path, `"integrity_state": "${state}"`, '"integrity_state": "unverified"');
    await ada.ok('verify', made.snapshot_id);
    await c.edit(path, `"engine": "${stored.engine}"`, '"engine": "juicefs-clone"');
    await ada.refused('E_DESCRIPTOR_CORRUPT', 'verify', made.snapshot_id);
  },
};
