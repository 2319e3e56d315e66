import type { Check } from '../check.ts';
import { expectEqual, expectThat } from '../expectations.ts';

interface Verification {
  checksum_valid: boolean;
  tamper_detected: boolean;
}

export const editedDescriptor: Check = {
  number: 8,
  title: 'edited descriptor',
  expected: 'detected',
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository();
    await ada.ok('verify', '--all');

    await c.edit(`${repo.control}/descriptors/${id}.json`, '"note": "first"', '"note": "forged"');

    const { checksum_valid, tamper_detected } = await ada.refused<Verification>('E_DESCRIPTOR_CORRUPT', 'verify', id);
    const found = { checksum_valid, tamper_detected };
    expectEqual(found, { checksum_valid: false, tamper_detected: true }, 'What verify reports');
    await ada.refused('E_DESCRIPTOR_CORRUPT', 'verify', '--all', '--no-payload');
    const { exitCode, stdout } = await ada.run('verify', '--all');
    expectEqual(exitCode, 1, 'The exit status of verify --all for people');
    expectThat(stdout.includes(`${id}  TAMPERED`), `verify --all must call ${id} TAMPERED: ${stdout}`);
    const { healthy } = await ada.report<{ healthy: boolean }>('doctor', '--strict');
    expectEqual(healthy, false, 'healthy, as doctor --strict reports it');
    await ada.refused('E_DESCRIPTOR_CORRUPT', 'restore', id, '--name', 'from-forged');
  },
};
