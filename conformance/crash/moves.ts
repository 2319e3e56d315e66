import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { stateRecords, type SavedRepository, type StateRecord, type User } from '@jvs/testkit';
import { expect } from 'vitest';

import { expectRepaired, type Report } from './aftermath.ts';

/** What ada has in the tree that the operation moves, and nowhere else. */
export const WORK = 'work that is in no snapshot';
/** What another program writes while the operation stands still. */
export const LATE = 'an edit that came late';

/** An operation that moves a payload. */
export interface Operation {
  args: string[];
  /** Brings the repository to where the operation makes sense. */
  prepare(saved: SavedRepository, ada: User): Promise<void>;
}

async function forkSide(saved: SavedRepository, ada: User): Promise<void> {
  await ada.ok(['fork', 'side']);
  writeFileSync(`${saved.root}/worktrees/side/work`, WORK);
}

export const RENAME: Operation = {
  args: ['worktree', 'rename', 'side', 'other'],
  prepare: forkSide,
};

export const REMOVE: Operation = {
  args: ['worktree', 'remove', 'side', '--force'],
  prepare: forkSide,
};

/** Takes main back to its first snapshot; from outside, since for a moment main is not there. */
export const RESTORE: Operation = {
  args: ['restore', 'main:HEAD~1', '--worktree', 'main', '--inplace', '--force', '--reason', 'a test'],
  prepare: async (saved, ada) => {
    writeFileSync(`${saved.main}/hello.txt`, 'second\n');
    await ada.ok(['snapshot', 'second']);
    writeFileSync(`${saved.main}/work`, WORK);
    ada.cwd = saved.root;
  },
};

/** What a program does that knows nothing of the operation: writes into the directory, and makes it if it is not there. */
export function writeLate(saved: SavedRepository, path: string): void {
  mkdirSync(join(saved.root, path), { recursive: true });
  writeFileSync(join(saved.root, path, 'late'), LATE);
}

/** Texts of all files outside the snapshots: payloads, kept trees, and what was moved aside. */
function textsOf(saved: SavedRepository): string[] {
  const places = ['main', 'worktrees', '.jvs/tmp']
    .map((place) => `${saved.root}/${place}`)
    .filter((path) => existsSync(path));
  return places.flatMap((place) =>
    readdirSync(place, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
  );
}

/** The records of the worktree that had this name at first; it may have another one, or none. */
function recordsById(saved: SavedRepository, id: string): StateRecord[] {
  const log = `${saved.control}/state/${id}`;
  return readdirSync(log)
    .filter((name) => /^\d{12}\.jsonl$/.test(name))
    .toSorted()
    .map((name) => JSON.parse(readFileSync(`${log}/${name}`, 'utf8')) as StateRecord);
}

export function idOf(saved: SavedRepository, worktree: string): string {
  return stateRecords(saved, worktree)[0]?.worktree_id ?? '';
}

/**
 * What holds however an operation went: after a repair nothing is pending, every name has its own payload and state,
 * nobody's work is lost, everything verifies (the audit chain too), and the worktree ended as its log says.
 */
export async function expectOrder(
  saved: SavedRepository,
  user: User,
  worktreeId: string,
  texts: string[],
  leftOver: string[] = [],
): Promise<StateRecord> {
  await expectRepaired(user, leftOver);
  const newest = recordsById(saved, worktreeId).at(-1);
  if (newest === undefined) throw new Error('No state');
  expect(newest.pending).toBeNull();
  const listed = await user.json<{ name: string; path: string; config: { worktree_id: string } }[]>([
    'worktree',
    'list',
  ]);
  const ours = listed.filter(({ config }) => config.worktree_id === worktreeId).map(({ name }) => name);
  expect(ours).toEqual(newest.kind === 'remove' ? [] : [newest.worktree]);
  expect(listed.filter(({ path }) => !existsSync(path))).toEqual([]);
  expect(readdirSync(`${saved.control}/worktrees`).toSorted()).toEqual(listed.map(({ name }) => name));
  expect(textsOf(saved)).toEqual(expect.arrayContaining(texts));
  return newest;
}

/** Lets so many processes repair at once. */
export async function settle(user: User, count: number): Promise<void> {
  const runs = Array.from({ length: count }, () => user.run(['--json', 'doctor', '--repair-runtime']));
  for (const { stdout, stderr } of await Promise.all(runs)) {
    expect(stderr).not.toContain('E_INTERNAL');
    expect((JSON.parse(stdout) as Report).findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  }
}
