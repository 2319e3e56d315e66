import { existsSync, readdirSync, writeFileSync } from 'node:fs';

import { readJson, test, type SavedRepository, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { crash } from './aftermath.ts';
import { mostActions, REMOVE_STEPS, variants } from './failpoints.ts';
import { expectOrder, idOf, LATE, REMOVE, settle, WORK, writeLate } from './moves.ts';

/** From this step on the payload has moved, and whoever settles finishes the removal. */
const MOVED = ['payload', 'metadata', 'end', 'discard'];
const DISCARD = [...REMOVE.args, '--discard'];

async function expectRemoved(saved: SavedRepository, ada: User, id: string, isRemoved: boolean): Promise<void> {
  const newest = await expectOrder(saved, ada, id, [WORK]);
  expect(newest.kind === 'remove').toBe(isRemoved);
  expect(existsSync(`${saved.root}/worktrees/side/work`)).toBe(!isRemoved);
}

describe.concurrent('a removal that dies or fails at any step', () => {
  const steps = REMOVE_STEPS.filter((step) => step !== 'discard');

  test.for(mostActions(steps))('remove:%s=%s', async ([step, action], { saved, ada, expect }) => {
    await REMOVE.prepare(saved, ada);
    const id = idOf(saved, 'side');
    await crash(ada, REMOVE.args, `remove:${step}`, action);

    await expectRemoved(saved, ada, id, MOVED.includes(step));
    if (MOVED.includes(step)) {
      await ada.ok(['fork', 'side']);
      expect(readdirSync(`${saved.root}/worktrees/side`)).toEqual(['hello.txt']);
    }
  });

  test('remove:discard=kill', async ({ saved, ada, expect }) => {
    await REMOVE.prepare(saved, ada);
    const id = idOf(saved, 'side');
    await crash(ada, DISCARD, 'remove:discard', 'kill');

    expect((await expectOrder(saved, ada, id, [])).kind).toBe('remove');
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });
});

describe.concurrent('a removal that stands still while others go on', () => {
  const stops = variants(REMOVE_STEPS, { settlers: [1, 2], late: [false, true], again: [false, true] });

  test.for(stops)(
    'remove:$step, $settlers settle, late edit: $late, name used again: $again',
    async (stop, { saved, ada, bob, expect }) => {
      await REMOVE.prepare(saved, ada);
      const id = idOf(saved, 'side');
      const args = stop.step === 'discard' ? DISCARD : REMOVE.args;
      const author = ada.start(args, { env: { JVS_FAILPOINT: `remove:${stop.step}=stop` } });
      await author.stopped();
      const isMoved = MOVED.includes(stop.step);
      if (stop.late && !isMoved) writeLate(saved, 'worktrees/side');
      await settle(bob, stop.settlers);
      const isAgain = stop.again && isMoved;
      if (isAgain) {
        await bob.ok(['fork', 'main:HEAD', 'side']);
        writeFileSync(`${saved.root}/worktrees/side/new`, 'the next one of that name');
      }
      if (stop.late && isMoved && !isAgain) writeLate(saved, 'worktrees/side');

      author.resume();
      const { exitCode, stderr } = await author.result;

      expect(stderr).not.toContain('E_INTERNAL');
      const texts = [
        ...(stop.step === 'discard' ? [] : [WORK]),
        ...(stop.late && !isAgain ? [LATE] : []),
        ...(isAgain ? ['the next one of that name'] : []),
      ];
      const isStray = stop.late && isMoved && !isAgain;
      const newest = await expectOrder(saved, ada, id, texts, isStray ? ['stray_payload'] : []);
      expect(newest.kind === 'remove', stderr).toBe(exitCode === 0);
      if (isMoved) expect(exitCode, stderr).toBe(0);
      if (isAgain) expect(readdirSync(`${saved.root}/worktrees/side`).toSorted()).toEqual(['hello.txt', 'new']);
    },
  );
});

test('two removals at once: one of them did it, and both know', async ({ saved, ada, bob, expect }) => {
  await REMOVE.prepare(saved, ada);
  const id = idOf(saved, 'side');

  const results = await Promise.all([ada.run(REMOVE.args), bob.run(REMOVE.args)]);

  expect((await expectOrder(saved, ada, id, [WORK])).kind).toBe('remove');
  expect(results.map(({ exitCode }) => exitCode)).toContain(0);
  for (const { stderr } of results) expect(stderr).not.toContain('E_INTERNAL');
  const loser = results.find(({ exitCode }) => exitCode !== 0);
  if (loser !== undefined) expect(loser.stderr).toMatch(/E_NOT_FOUND|E_WORKTREE_PENDING/);
});

test.for([
  [['lock', 'acquire'], []],
  [
    ['lock', 'exec'],
    ['--', 'true'],
  ],
  [['snapshot', '--lock'], []],
])(
  '%s over a pending removal meets a worktree that is gone, and leaves its end the end',
  async ([words = [], rest = []], { saved, ada, bob, expect }) => {
    await REMOVE.prepare(saved, ada);
    await crash(ada, REMOVE.args, 'remove:payload', 'kill');
    const id = idOf(saved, 'side');

    const { exitCode } = await bob.run([...words, '--worktree', 'side', ...rest]);

    expect(exitCode).not.toBe(0);
    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
    const records = readdirSync(`${saved.control}/state/${id}`).toSorted();
    expect(readJson(`${saved.control}/state/${id}/${records.at(-1)}`)).toMatchObject({ kind: 'remove' });
    await ada.ok(['verify', '--all']);
  },
);
