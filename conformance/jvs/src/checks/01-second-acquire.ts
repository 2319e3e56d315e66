import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { stateRecords } from '../repository-files.ts';

export const secondAcquire: Check = {
  number: 1,
  title: 'second acquire on a locked worktree',
  expected: 'E_LOCK_CONFLICT',
  run: async (c) => {
    const { repo, ada, bob } = await c.repository();
    await ada.ok('lock', 'acquire');

    await bob.refused('E_LOCK_CONFLICT', 'lock', 'acquire');
    await ada.refused('E_LOCK_CONFLICT', 'lock', 'acquire');

    const kinds = stateRecords(repo).map(({ kind }) => kind);
    expectEqual(kinds, ['create', 'acquire'], 'The kinds of state records after two refused acquires');
    const { state, mine } = await ada.json<{ state: string; mine: boolean }>('lock', 'status');
    expectEqual({ state, mine }, { state: 'held', mine: true }, 'What lock status tells the holder');
  },
};
