import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { afterEach, describe, expect } from 'vitest';
import type { Repository } from '../../src/repository.ts';
import { restoreInPlace } from '../../src/restore/restore-in-place.ts';
import { verifyAudit } from '../../src/verify/verify-audit.ts';
import { createWorktree } from '../../src/worktree/create-worktree.ts';
import { acquireLock } from '../../src/worktree/locking.ts';
import { removeWorktree } from '../../src/worktree/remove-worktree.ts';
import { renameWorktree } from '../../src/worktree/rename-worktree.ts';
import { settleWorktree } from '../../src/worktree/settle.ts';
import { openWorktrees, type Worktree } from '../../src/worktree/worktree.ts';
import { D1, D2 } from '../fixtures/vectors.ts';
import { stateRecords, test } from '../fixtures/world.ts';

afterEach(disarmFailpoint);

/** Worktree `second`, made from D1. */
async function second(r: Repository): Promise<Worktree> {
  return (await createWorktree(r, 'second', { from: D1.snapshot_id })).worktree;
}

/** Runs an operation in a process that dies right after the step; then all runtime files are gone, as in a copy. */
async function loseAfter(r: Repository, failpointName: string, operation: () => Promise<unknown>): Promise<void> {
  armFailpoint(failpointName, () => {
    throw new Error('killed here');
  });
  await expect(operation()).rejects.toThrow('killed here');
  disarmFailpoint();
  for (const name of readdirSync(r.layout.tmp)) rmSync(`${r.layout.tmp}/${name}`, { recursive: true });
}

async function expectSound(r: Repository, w: Worktree, name: string | undefined): Promise<void> {
  const newest = stateRecords(r, w.id).at(-1);
  expect(newest).toMatchObject({ pending: null, kind: name === undefined ? 'remove' : 'end' });
  expect((await openWorktrees(r)).map((each) => each.name)).toEqual(
    ['main', ...(name === undefined ? [] : [name])].sort(),
  );
  expect(await verifyAudit(r)).toMatchObject({ valid: true, problems: [], audit_missing: [] });
}

describe('a rename whose directory is lost', () => {
  const cases = [
    { step: 'begin', name: 'second', outcome: 'undone', content: ['hello.txt', 'work'] },
    { step: 'payload', name: 'third', outcome: 'done', content: ['hello.txt'] },
    { step: 'claim', name: 'third', outcome: 'done', content: ['hello.txt'] },
    { step: 'arrive', name: 'third', outcome: 'done', content: ['hello.txt', 'work'] },
    { step: 'oldmeta', name: 'third', outcome: 'done', content: ['hello.txt', 'work'] },
  ] as const;

  test.for(cases)('after $step: $outcome', async ({ step, name, outcome, content }, { vector }) => {
    const w = await second(vector);
    writeFileSync(`${w.path}/work`, '');
    await loseAfter(vector, `rename:${step}`, async () => renameWorktree(vector, 'second', 'third'));

    expect(await settleWorktree(w)).toMatchObject({ operation: 'rename', outcome });

    await expectSound(vector, w, name);
    expect(readdirSync(vector.layout.payload(name)).sort()).toEqual(content);
    expect(readdirSync(`${vector.root}/worktrees`)).toEqual([name]);
  });

  test('after its claim, with a directory made where the payload was: that one is a stranger', async ({ vector }) => {
    const w = await second(vector);
    await loseAfter(vector, 'rename:claim', async () => renameWorktree(vector, 'second', 'third'));
    mkdirSync(`${vector.root}/worktrees/second`);

    await settleWorktree(w);

    await expectSound(vector, w, 'third');
    expect(readFileSync(`${vector.layout.payload('third')}/hello.txt`, 'utf8')).toBe('hello\n');
  });

  test('does not take the name that another worktree has got meanwhile', async ({ vector }) => {
    const w = await second(vector);
    await loseAfter(vector, 'rename:oldmeta', async () => renameWorktree(vector, 'second', 'third'));
    const { worktree: next } = await createWorktree(vector, 'second', { from: D2.snapshot_id });

    await settleWorktree(w);

    expect(stateRecords(vector, w.id).at(-1)).toMatchObject({ kind: 'end', worktree: 'third', pending: null });
    expect((await openWorktrees(vector)).map(({ name, id }) => [name, id])).toContainEqual(['second', next.id]);
  });
});

describe('a removal whose directory is lost', () => {
  test.for([
    { step: 'begin', name: 'second', outcome: 'undone' },
    { step: 'payload', name: undefined, outcome: 'done' },
    { step: 'metadata', name: undefined, outcome: 'done' },
  ])('after $step: $outcome', async ({ step, name, outcome }, { vector }) => {
    const w = await second(vector);
    await loseAfter(vector, `remove:${step}`, async () => removeWorktree(vector, 'second'));

    expect(await settleWorktree(w)).toMatchObject({ operation: 'remove', outcome });

    await expectSound(vector, w, name);
    expect(existsSync(w.path)).toBe(name !== undefined);
  });

  test('after it gave the name back: the next one of that name is left alone', async ({ vector }) => {
    const w = await second(vector);
    await loseAfter(vector, 'remove:metadata', async () => removeWorktree(vector, 'second'));
    const { worktree: next } = await createWorktree(vector, 'second', { from: D2.snapshot_id });

    await settleWorktree({ repository: vector, name: 'second', id: w.id });

    expect(stateRecords(vector, w.id).at(-1)).toMatchObject({ kind: 'remove', pending: null });
    expect((await openWorktrees(vector)).map(({ id }) => id)).toContain(next.id);
    expect(existsSync(next.path)).toBe(true);
  });
});

describe('an in-place restore whose directory is lost', () => {
  test.for([
    { step: 'begin', head: D1.snapshot_id, outcome: 'undone', content: 'hello.txt' },
    { step: 'old', head: D2.snapshot_id, outcome: 'done', content: 'sub' },
    { step: 'new', head: D1.snapshot_id, outcome: 'undone', content: 'sub' },
  ])('after $step: $outcome', async ({ step, head, outcome, content }, { vector }) => {
    const w = await second(vector);
    await acquireLock(w);
    await loseAfter(vector, `restore:${step}`, async () => restoreInPlace(w, D2.snapshot_id, { reason: 'a test' }));

    expect(await settleWorktree(w)).toMatchObject({ operation: 'restore', outcome });

    await expectSound(vector, w, 'second');
    expect(stateRecords(vector, w.id).at(-1)).toMatchObject({ head_snapshot_id: head });
    expect(readdirSync(w.path)).toContain(content);
  });
});

describe('a directory made anew', () => {
  test('is not left behind when its tree cannot be made', async ({ vector }) => {
    const w = await second(vector);
    await loseAfter(vector, 'rename:payload', async () => renameWorktree(vector, 'second', 'third'));
    writeFileSync(`${vector.layout.snapshot(D1.snapshot_id)}/hello.txt`, 'longer than it was');

    await expect(settleWorktree(w)).rejects.toMatchObject({ code: 'E_PAYLOAD_HASH_MISMATCH' });

    expect(readdirSync(vector.layout.tmp)).toEqual([]);
    expect(stateRecords(vector, w.id).at(-1)).toMatchObject({ pending: { op: 'rename' } });
  });
});
