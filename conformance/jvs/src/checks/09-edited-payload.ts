import { chmodSync, statSync, utimesSync } from 'node:fs';
import type { Check } from '../check.ts';
import { expectEqual, expectThat } from '../expectations.ts';

interface Verification {
  checksum_valid: boolean;
  payload_hash_valid: boolean | null;
  tamper_detected: boolean;
  paths: object[];
}

export const editedPayload: Check = {
  number: 9,
  title: 'edited payload',
  expected: 'E_PAYLOAD_HASH_MISMATCH, path named',
  everywhere: true,
  run: async (c) => {
    const { repo, ada } = await c.savedRepository();
    await c.write(`${repo.main}/other.txt`, 'other\n');
    const { snapshot_id: id } = await ada.json<{ snapshot_id: string }>('snapshot', 'second');
    await ada.ok('verify', '--all');
    const tree = `${repo.control}/snapshots/${id}`;

    const tells = async (...names: string[]): Promise<void> => {
      const found = await ada.refused<Verification>('E_PAYLOAD_HASH_MISMATCH', 'verify', id);
      const { payload_hash_valid: payload, tamper_detected: tampered } = found;
      expectEqual({ payload, tampered }, { payload: false, tampered: true }, 'What verify reports');
      const said = JSON.stringify(found.paths);
      for (const name of names) expectThat(said.includes(name), `verify must name ${name} among the paths: ${said}`);
    };

    // Size and times stay, so that only reading tells.
    const path = `${tree}/hello.txt`;
    const { atime, mtime } = statSync(path);
    await c.edit(path, 'hello', 'hallo');
    c.remark('with the modification time that it had');
    utimesSync(path, atime, mtime);
    await tells('hello.txt');
    await ada.refused('E_PAYLOAD_HASH_MISMATCH', 'verify', '--all');
    await ada.refused('E_PAYLOAD_HASH_MISMATCH', 'restore', id, '--name', 'from-edited', '--verify');

    await c.edit(path, 'hallo', 'hello');
    utimesSync(path, atime, mtime);
    await ada.ok('verify', id);

    await c.remove(`${tree}/other.txt`);
    await c.write(`${tree}/extra.txt`, 'extra\n');
    c.remark('and the mode of hello.txt is changed');
    chmodSync(path, 0o600);
    await tells('hello.txt', 'other.txt', 'extra.txt');
  },
};
