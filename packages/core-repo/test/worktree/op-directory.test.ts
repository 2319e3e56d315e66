import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { remainsOf } from '../../src/worktree/kept-tree.ts';
import {
  claimOpDirectory,
  findOpDirectory,
  makeOpDirectory,
  moveIntoPlace,
  SupersededError,
} from '../../src/worktree/op-directory.ts';
import { test } from '../fixtures/world.ts';

const OP = '00000000-0000-4000-8000-0000000000aa';

describe('an op directory', () => {
  test('is found under the name of its latest claim', async ({ fresh }) => {
    expect(await findOpDirectory(fresh, OP)).toBeUndefined();
    const first = await makeOpDirectory(fresh, OP);
    expect(await findOpDirectory(fresh, OP)).toBe(first);
    mkdirSync(`${fresh.layout.tmp}/op-${OP}0`);

    let claimed: string | undefined = first;
    for (let n = 1; n <= 11; n += 1) {
      claimed = await claimOpDirectory(fresh, OP, claimed ?? '');
      expect(claimed).toBe(`${first}.${n}`);
      expect(await findOpDirectory(fresh, OP)).toBe(claimed);
    }
  });

  test('is claimed by exactly one of many', async ({ fresh }) => {
    const first = await makeOpDirectory(fresh, OP);

    const claims = await Promise.all(Array.from({ length: 6 }, async () => claimOpDirectory(fresh, OP, first)));

    expect(claims.filter((claimed) => claimed !== undefined)).toEqual([`${first}.1`]);
  });

  test('once claimed stops every later move of its former owner', async ({ fresh }) => {
    const first = await makeOpDirectory(fresh, OP);
    mkdirSync(`${first}/new`);
    await claimOpDirectory(fresh, OP, first);

    await expect(moveIntoPlace(first, 'new', `${fresh.root}/place`)).rejects.toBeInstanceOf(SupersededError);
    expect(readdirSync(fresh.root)).not.toContain('place');
  });
});

describe('moving into place', () => {
  test('keeps the mode of a closed root', async ({ fresh }) => {
    const op = await makeOpDirectory(fresh, OP);
    mkdirSync(`${op}/new`);
    writeFileSync(`${op}/new/file`, '');
    chmodSync(`${op}/new`, 0o555);

    await moveIntoPlace(op, 'new', `${fresh.root}/place`);

    expect(statSync(`${fresh.root}/place`).mode & 0o7777).toBe(0o555);
  });

  test('takes the place of an empty directory, and puts anything else aside', async ({ fresh }) => {
    const op = await makeOpDirectory(fresh, OP);
    mkdirSync(`${op}/new`);
    mkdirSync(`${fresh.root}/empty`);
    await moveIntoPlace(op, 'new', `${fresh.root}/empty`);
    expect((await remainsOf(op)).intruders).toEqual([]);

    mkdirSync(`${op}/new`);
    mkdirSync(`${fresh.root}/full`);
    writeFileSync(`${fresh.root}/full/precious`, 'mine');
    await moveIntoPlace(op, 'new', `${fresh.root}/full`);
    const [aside = ''] = (await remainsOf(op)).intruders;

    expect(aside.startsWith(`${op}/intruder-`)).toBe(true);
    expect(readFileSync(`${aside}/precious`, 'utf8')).toBe('mine');
    expect(readdirSync(`${fresh.root}/full`)).toEqual([]);
  });
});
