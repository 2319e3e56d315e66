import type { Check } from '../check.ts';
import { expectEqual, expectMatch, expectThat } from '../expectations.ts';
import { namesIn } from '../repository-files.ts';

const SNAPSHOT_ID = /^\d{13}-[0-9a-f]{8}$/;
/** Clocks of one machine agree far better than this. */
const TOLERANCE_MS = 120_000;

export const snapshotIds: Check = {
  number: 18,
  title: 'snapshot ids',
  expected: 'thirteen digits of Unix ms, a hyphen, eight hex digits',
  run: async (c) => {
    const { repo, ada } = await c.repository();
    await ada.ok('lock', 'acquire');
    const randomParts = new Set<string>();
    for (const note of ['one', 'two', 'three']) {
      const { snapshot_id: id } = await ada.json<{ snapshot_id: string }>('snapshot', note);
      expectMatch(id, SNAPSHOT_ID, 'A snapshot id');
      const [madeAt = '', random = ''] = id.split('-');
      const isNow = Math.abs(Number(madeAt) - Date.now()) < TOLERANCE_MS;
      expectThat(isNow, `The snapshot id ${id} must begin with the time of its creation in ms`);
      randomParts.add(random);
    }
    expectEqual(randomParts.size, 3, 'The number of different random parts of three ids');
    for (const name of namesIn(`${repo.control}/snapshots`)) expectMatch(name, SNAPSHOT_ID, 'A name in snapshots/');
    for (const name of ['1771578748123-0a1b2c3', '1771578748123_0a1b2c3d', '../snapshots/x']) {
      const refusals = ['E_NOT_FOUND', 'E_NAME_INVALID', 'E_PATH_ESCAPE'];
      await ada.refused(refusals, 'restore', name);
    }
  },
};
