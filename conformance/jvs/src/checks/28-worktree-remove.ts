import { existsSync } from 'node:fs';
import type { Check } from '../check.ts';
import { expectEqual, expectThat } from '../expectations.ts';
import { readLog, stateLog, type Descriptor, type StateRecord } from '../repository-files.ts';

export const worktreeRemove: Check = {
  number: 28,
  title: 'worktree remove',
  expected: 'payload and metadata gone',
  everywhere: true,
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository();
    await ada.ok('worktree', 'create', 'spare', '--from', id);
    const payload = `${repo.root}/worktrees/spare`;
    const metadata = `${repo.control}/worktrees/spare`;
    const log = stateLog(repo, 'spare');
    const there = ada.at(payload);
    await c.write(`${payload}/more.txt`, 'more\n');
    await there.ok('lock', 'acquire');
    const made = await there.json<Descriptor>('snapshot', 'of spare');
    await ada.refused('E_LOCK_CONFLICT', 'worktree', 'remove', 'spare');
    await there.ok('lock', 'release');
    await c.write(`${payload}/unsaved.txt`, 'unsaved\n');
    await ada.refused('E_WORKTREE_DIRTY', 'worktree', 'remove', 'spare');
    expectThat(existsSync(`${payload}/unsaved.txt`), 'A refused removal must leave the payload alone');
    await c.remove(`${payload}/unsaved.txt`);

    await ada.ok('worktree', 'remove', 'spare');

    expectThat(!existsSync(payload), 'The payload of a removed worktree must be gone');
    expectThat(!existsSync(metadata), 'The metadata of a removed worktree must be gone');
    const listed = await ada.json<{ name: string }[]>('worktree', 'list');
    expectEqual(
      listed.map(({ name }) => name),
      ['main'],
      'The worktrees that are listed',
    );
    const tip = readLog<StateRecord>(log).at(-1);
    const { kind, lock, pending } = tip ?? {};
    expectEqual({ kind, lock, pending }, { kind: 'remove', lock: null, pending: null }, 'The newest state record');
    await ada.ok('verify', made.snapshot_id);
    await ada.refused('E_NOT_FOUND', 'worktree', 'remove', 'spare');
    await ada.ok('worktree', 'create', 'spare');
    await ada.ok('doctor', '--strict');
  },
};
