import { mkdirSync, writeFileSync } from 'node:fs';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { afterEach, describe, expect } from 'vitest';
import { createWorktree } from '../../src/worktree/create-worktree.ts';
import { listWorktrees } from '../../src/worktree/list-worktrees.ts';
import { renameWorktree } from '../../src/worktree/rename-worktree.ts';
import { D1 } from '../fixtures/vectors.ts';
import { test } from '../fixtures/world.ts';

afterEach(disarmFailpoint);

function dieAt(name: string): void {
  armFailpoint(name, () => {
    throw new Error('killed here');
  });
}

describe('the list of worktrees', () => {
  test('shows one whose creator has not got to the first record as pending', async ({ vector }) => {
    dieAt('create:claim');
    await createWorktree(vector, 'second', { from: D1.snapshot_id }).catch(() => {});

    expect(await listWorktrees(vector)).toMatchObject([
      { name: 'main' },
      { name: 'second', head_snapshot_id: null, lock_state: 'unknown', pending: { op: 'create' } },
    ]);
  });

  test.for([
    { step: 'payload', to: 'third', name: 'second' },
    { step: 'claim', to: 'third', name: 'second' },
    { step: 'arrive', to: 'third', name: 'second' },
    { step: 'arrive', to: 'another', name: 'second' },
    { step: 'oldmeta', to: 'third', name: 'third' },
  ])('shows a worktree once whose rename to $to died after $step', async ({ step, to, name }, { vector }) => {
    await createWorktree(vector, 'second', { from: D1.snapshot_id });
    dieAt(`rename:${step}`);
    await renameWorktree(vector, 'second', to).catch(() => {});

    const listed = await listWorktrees(vector);

    expect(listed).toMatchObject([{ name: 'main' }, { name, pending: { op: 'rename', from: 'second', to } }]);
  });

  test('is not disturbed by what file managers and file servers leave', async ({ vector }) => {
    writeFileSync(`${vector.layout.worktrees}/.DS_Store`, '');
    writeFileSync(`${vector.layout.worktrees}/.nfs0000000001`, '');
    mkdirSync(`${vector.layout.worktrees}/.Trash-0`);

    expect(await listWorktrees(vector)).toMatchObject([{ name: 'main' }]);
  });
});
