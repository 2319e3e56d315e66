import { lstatSync } from 'node:fs';
import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { auditRecords, stateRecords, treeAt } from '../repository-files.ts';

export const inPlaceWithoutLock: Check = {
  number: 6,
  title: 'in-place restore without the lock, with --force',
  expected: 'fails, payload untouched',
  run: async (c) => {
    const { repo, ada, bob, id } = await c.savedRepository();
    await c.write(`${repo.main}/hello.txt`, 'changed since\n');
    await c.write(`${repo.main}/new.txt`, 'new\n');
    const asItIs = (): object => ({
      payload: treeAt(repo.main),
      inode: lstatSync(repo.main).ino,
      state: stateRecords(repo),
      audit: auditRecords(repo),
    });
    const inPlace = ['restore', id, '--inplace', '--force', '--reason', 'conformance'];

    const locked = asItIs();
    await bob.refused(['E_LOCK_NOT_HELD', 'E_LOCK_CONFLICT'], ...inPlace);
    expectEqual(asItIs(), locked, 'Payload and logs after somebody else tried');

    await ada.ok('lock', 'release');
    const free = asItIs();
    await ada.refused('E_LOCK_NOT_HELD', ...inPlace);
    expectEqual(asItIs(), free, 'Payload and logs after a try without any lock');

    // The same command does its work once the lock is held, so what was refused was not refused for another reason.
    await ada.ok('lock', 'acquire');
    await ada.ok(...inPlace);
    expectEqual(Object.keys(treeAt(repo.main)), ['hello.txt'], 'The payload after a restore under the lock');
  },
};
