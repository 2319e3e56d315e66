import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

import { test, type SavedRepository, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { crash, type Report } from './aftermath.ts';
import { mostActions, RENAME_STEPS, variants } from './failpoints.ts';
import { expectOrder, idOf, LATE, RENAME, settle, WORK, writeLate } from './moves.ts';

/** From this step on the payload has moved, and whoever settles finishes the rename. */
const MOVED = ['payload', 'claim', 'arrive', 'oldmeta', 'end'];

async function expectRenamed(saved: SavedRepository, ada: User, id: string, to: 'side' | 'other'): Promise<void> {
  const newest = await expectOrder(saved, ada, id, [WORK]);
  expect(newest.worktree).toBe(to);
  expect(readdirSync(`${saved.root}/worktrees`)).toEqual([to]);
  expect(readFileSync(`${saved.root}/worktrees/${to}/work`, 'utf8')).toBe(WORK);
}

describe.concurrent('a rename that dies or fails at any step', () => {
  test.for(mostActions(RENAME_STEPS))('rename:%s=%s', async ([step, action], { saved, ada }) => {
    await RENAME.prepare(saved, ada);
    const id = idOf(saved, 'side');
    await crash(ada, RENAME.args, `rename:${step}`, action);

    await expectRenamed(saved, ada, id, MOVED.includes(step) ? 'other' : 'side');
  });
});

describe.concurrent('a rename that stands still while others go on', () => {
  const stops = variants(RENAME_STEPS, { settlers: [1, 2], late: [false, true], again: [false, true] });

  test.for(stops)(
    'rename:$step, $settlers settle, late edit: $late, name used again: $again',
    async (stop, { saved, ada, bob, expect }) => {
      await RENAME.prepare(saved, ada);
      const id = idOf(saved, 'side');
      const author = ada.start(RENAME.args, { env: { JVS_FAILPOINT: `rename:${stop.step}=stop` } });
      await author.stopped();
      if (stop.late) writeLate(saved, 'worktrees/other');
      await settle(bob, stop.settlers);
      const isMoved = MOVED.includes(stop.step);
      if (stop.again && isMoved) {
        await bob.ok(['fork', 'main:HEAD', 'side']);
        writeFileSync(`${saved.root}/worktrees/side/new`, 'the next one of that name');
      }

      author.resume();
      const { exitCode, stderr } = await author.result;

      expect(stderr).not.toContain('E_INTERNAL');
      const texts = [
        WORK,
        ...(stop.late ? [LATE] : []),
        ...(stop.again && isMoved ? ['the next one of that name'] : []),
      ];
      const isStray = stop.late && existsSync(`${saved.root}/worktrees/other/late`) && exitCode !== 0;
      const newest = await expectOrder(saved, ada, id, texts, isStray ? ['stray_payload'] : []);
      expect(newest.worktree).toBe(exitCode === 0 ? 'other' : 'side');
      if (isMoved) expect(exitCode, stderr).toBe(0);
      if (stop.again && isMoved)
        expect(readdirSync(`${saved.root}/worktrees/side`).toSorted()).toEqual(['hello.txt', 'new']);
    },
  );
});

describe.concurrent('two at once', () => {
  test('to one name: one has it, the other keeps its own', async ({ saved, ada, expect }) => {
    await ada.ok(['fork', 'one']);
    await ada.ok(['fork', 'two']);

    const results = await Promise.all(['one', 'two'].map((name) => ada.run(['worktree', 'rename', name, 'same'])));

    const codes = results.map(({ exitCode }) => exitCode);
    expect(new Set(codes)).toEqual(new Set([0, 1]));
    const loser = codes[0] === 0 ? 'two' : 'one';
    expect(results.find(({ exitCode }) => exitCode === 1)?.stderr).toContain('E_EXISTS');
    expect(readdirSync(`${saved.root}/worktrees`)).toEqual(['same', loser].toSorted());
    expect(await ada.json<Report>(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
  });

  test('a name that is claimed between look and claim: everything goes back', async ({ saved, ada, bob, expect }) => {
    await RENAME.prepare(saved, ada);
    const id = idOf(saved, 'side');
    const author = ada.start(RENAME.args, { env: { JVS_FAILPOINT: 'rename:opdir=stop' } });
    await author.stopped();
    await bob.ok(['fork', 'main:HEAD', 'other']);

    author.resume();
    const { exitCode, stderr } = await author.result;

    expect(exitCode).toBe(1);
    expect(stderr).toContain('E_EXISTS');
    expect((await expectOrder(saved, ada, id, [WORK])).worktree).toBe('side');
    expect(readFileSync(`${saved.root}/worktrees/side/work`, 'utf8')).toBe(WORK);
    expect(readdirSync(`${saved.root}/worktrees/other`)).toEqual(['hello.txt']);
  });

  test('a rename and a removal: one of them happens', async ({ saved, ada, bob, expect }) => {
    await RENAME.prepare(saved, ada);
    const id = idOf(saved, 'side');

    const [renamed, removed] = await Promise.all([
      ada.run(RENAME.args),
      bob.run(['worktree', 'remove', 'side', '--force']),
    ]);

    const newest = await expectOrder(saved, ada, id, [WORK]);
    const outcome = newest.kind === 'remove' ? 'removed' : newest.worktree;
    expect(renamed.stderr + removed.stderr).not.toContain('E_INTERNAL');
    expect([renamed.exitCode, removed.exitCode], outcome).toEqual(outcome === 'removed' ? [1, 0] : [0, 1]);
  });
});
