import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { EMPTY_ROOT_HASH, PAYLOAD_VECTORS, writePayload } from '../payloads.ts';
import type { Descriptor } from '../repository-files.ts';

export const samePayload: Check = {
  number: 19,
  title: 'same payload twice',
  expected: 'same payload_root_hash',
  everywhere: true,
  run: async (c) => {
    const hashes: string[] = [];
    for (const name of ['one', 'two']) {
      const { repo, ada } = await c.repository(name);
      await ada.ok('lock', 'acquire');
      const empty = await ada.json<Descriptor>('snapshot', 'empty');
      expectEqual(empty.payload_root_hash.value, EMPTY_ROOT_HASH, 'payload_root_hash of the empty payload');

      await writePayload(c, repo.main, 'M3', { reverse: name === 'two' });
      const first = await ada.json<Descriptor>('snapshot', 'first');
      await c.run('touch', '-d', '2001-02-03 04:05:06', `${repo.main}/back\\slash`, `${repo.main}/sub`);
      const second = await ada.json<Descriptor>('snapshot', 'second');
      hashes.push(first.payload_root_hash.value, second.payload_root_hash.value);
    }
    const { rootHash } = PAYLOAD_VECTORS.M3;
    expectEqual(hashes, [rootHash, rootHash, rootHash, rootHash], 'payload_root_hash of payload M3, four times');
  },
};
