import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';

import { repositoryAt, stateRecords, test, type SavedRepository } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { CAN_MOUNT, fillDisk, withTmpfs } from '../jvs/mounts.ts';
import { crash, expectRepaired, type Finding } from './aftermath.ts';
import { SETTLE_STEPS } from './failpoints.ts';
import { expectOrder, idOf, LATE, REMOVE, RENAME, RESTORE, settle, WORK, writeLate, type Operation } from './moves.ts';

/** An operation that died with its payload in the op directory, and what becomes of it. */
interface Half {
  operation: Operation;
  failpoint: string;
  worktree: string;
  /** Where a program may make a directory that is then in the way. */
  way: string | undefined;
}

const HALVES: Record<string, Half> = {
  rename: { operation: RENAME, failpoint: 'rename:payload', worktree: 'side', way: 'worktrees/other' },
  remove: { operation: REMOVE, failpoint: 'remove:payload', worktree: 'side', way: undefined },
  restore: { operation: RESTORE, failpoint: 'restore:old', worktree: 'main', way: 'main' },
};

const cases = Object.entries(HALVES).flatMap(([name, half]) =>
  SETTLE_STEPS.filter((step) => step !== 'intruder' || half.way !== undefined).map((step) => ({ name, step, half })),
);

function loseOpDirectories(saved: SavedRepository): void {
  for (const name of readdirSync(`${saved.control}/tmp`)) rmSync(`${saved.control}/tmp/${name}`, { recursive: true });
}

describe.concurrent('a settler that dies', () => {
  test.for(cases)('settle:$step=kill in a $name, then two at once', async ({ step, half }, { saved, ada }) => {
    const { operation, failpoint, worktree, way } = half;
    await operation.prepare(saved, ada);
    const id = idOf(saved, worktree);
    await crash(ada, operation.args, failpoint, 'kill');
    if (step === 'intruder' && way !== undefined) writeLate(saved, way);
    if (step === 'rebuild') loseOpDirectories(saved);
    await crash(ada, ['doctor', '--repair-runtime'], `settle:${step}`, 'kill');

    await settle(ada, 2);

    const texts = [...(step === 'rebuild' ? [] : [WORK]), ...(step === 'intruder' ? [LATE] : [])];
    const newest = await expectOrder(saved, ada, id, texts);
    if (operation === RENAME) expect(newest.worktree).toBe('other');
    if (operation === REMOVE) expect(newest.kind).toBe('remove');
    if (operation === RESTORE) expect(newest.head_snapshot_id).toBe(saved.id);
  });
});

/** Before anything moved, and in the middle. */
const PAIRS = [
  { operation: RENAME, name: 'rename', worktree: 'side', authorAt: 'rename:audit' },
  { operation: RENAME, name: 'rename', worktree: 'side', authorAt: 'rename:payload' },
  { operation: REMOVE, name: 'remove', worktree: 'side', authorAt: 'remove:audit' },
  { operation: REMOVE, name: 'remove', worktree: 'side', authorAt: 'remove:payload' },
  { operation: RESTORE, name: 'restore', worktree: 'main', authorAt: 'restore:audit' },
  { operation: RESTORE, name: 'restore', worktree: 'main', authorAt: 'restore:old' },
].flatMap((pair) => [
  { ...pair, settlerAt: 'settle:judge', first: 'settler' as const },
  // It has recorded its verdict and is about to clear up: moves that the author made now would belie the record.
  { ...pair, settlerAt: 'append-state:synced', first: 'author' as const },
]);

describe.concurrent('an author and a settler who both stand still', () => {
  test.for(PAIRS)('$authorAt and $settlerAt, the $first goes on first', async (pair, { saved, ada, expect }) => {
    const { operation, worktree, authorAt, settlerAt, first } = pair;
    await operation.prepare(saved, ada);
    const id = idOf(saved, worktree);
    const author = ada.start(operation.args, { env: { JVS_FAILPOINT: `${authorAt}=stop` } });
    await author.stopped();
    const settler = ada.start(['doctor', '--repair-runtime'], { env: { JVS_FAILPOINT: `${settlerAt}=stop` } });
    await settler.stopped();

    const [one, two] = first === 'author' ? [author, settler] : [settler, author];
    one.resume();
    const ends = [await one.result];
    two.resume();
    ends.push(await two.result);

    for (const { stderr } of ends) expect(stderr).not.toContain('E_INTERNAL');
    const newest = await expectOrder(saved, ada, id, [WORK]);
    const { exitCode } = await author.result;
    const isDone =
      operation === RENAME
        ? newest.worktree === 'other'
        : operation === REMOVE
          ? newest.kind === 'remove'
          : newest.head_snapshot_id === saved.id;
    expect(exitCode === 0).toBe(isDone);
    if (operation === RESTORE)
      expect(readFileSync(`${saved.main}/hello.txt`, 'utf8')).toBe(isDone ? 'hello\n' : 'second\n');
    if (!authorAt.endsWith('audit')) expect(isDone).toBe(true);
  });
});

describe.concurrent('a pending operation', () => {
  test.for(Object.entries(HALVES))(
    'of the kind %s is an error of doctor that says what to do',
    async ([name, half], { saved, ada, bob }) => {
      await half.operation.prepare(saved, ada);
      await crash(ada, half.operation.args, half.failpoint, 'kill');

      const report = await bob
        .at(saved.root)
        .unhealthy<{ findings: (Finding & { description: string })[] }>(['doctor']);

      const found = report.findings.filter(({ category }) => category === 'pending_operation');
      expect(found).toMatchObject([{ severity: 'error', code: 'E_WORKTREE_PENDING', repair: 'settle' }]);
      expect(found[0]?.description).toContain(half.worktree);
      expect(found[0]?.description).toContain('--repair-runtime');
      const listed = await bob
        .at(saved.root)
        .json<{ name: string; pending: { op: string } | null }[]>(['worktree', 'list']);
      expect(listed.filter(({ pending }) => pending !== null)).toMatchObject([
        { name: half.worktree, pending: { op: name } },
      ]);
    },
  );

  test('of a worktree with two names is listed once, and history and discovery find it', async ({ saved, ada }) => {
    await RENAME.prepare(saved, ada);
    await crash(ada, RENAME.args, 'rename:arrive', 'kill');

    const listed = await ada.json<{ name: string }[]>(['worktree', 'list']);
    expect(listed.map(({ name }) => name)).toEqual(['main', 'side']);
    const there = ada.at(`${saved.root}/worktrees/other`);
    expect(await there.json(['history'])).toMatchObject([{ snapshot_id: saved.id }]);
    await there.ok(['lock', 'acquire']);
    expect(await there.json(['status'])).toMatchObject({ worktree: 'other', pending: null, added: ['work'] });
    await expectRepaired(ada);
  });

  test('is settled by whoever wants the name that it gives up', async ({ saved, ada, bob }) => {
    await RENAME.prepare(saved, ada);
    await crash(ada, RENAME.args, 'rename:payload', 'kill');
    await bob.ok(['fork', 'main:HEAD', 'side']);
    await crash(ada, ['worktree', 'remove', 'other', '--force'], 'remove:payload', 'kill');
    await bob.ok(['fork', 'main:HEAD', 'other']);

    await expectRepaired(ada);
    expect(readdirSync(`${saved.root}/worktrees`)).toEqual(['other', 'side']);
  });

  test('is settled by the next rename or removal', async ({ saved, ada, bob }) => {
    await RENAME.prepare(saved, ada);
    await crash(ada, REMOVE.args, 'remove:begin', 'kill');
    await bob.ok(['worktree', 'rename', 'side', 'other']);
    await crash(ada, ['worktree', 'rename', 'other', 'once'], 'rename:audit', 'kill');
    await bob.ok(['worktree', 'remove', 'other', '--force']);

    await expectRepaired(ada);
    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
  });

  test('whose place has no parent directory any more comes to its end', async ({ saved, ada }) => {
    await crash(ada, ['fork', 'side'], 'create:record', 'kill');
    rmdirSync(`${saved.root}/worktrees`);

    await expectRepaired(ada);

    expect(readdirSync(`${saved.root}/worktrees/side`)).toEqual(['hello.txt']);
  });

  test('between claim and first record disturbs nobody else', async ({ saved, ada }) => {
    await crash(ada, ['fork', 'side'], 'create:claim', 'kill');

    expect(await ada.json(['worktree', 'list'])).toMatchObject([
      { name: 'main' },
      { name: 'side', pending: { op: 'create' } },
    ]);
    await ada.ok(['verify', '--all']);
    await ada.ok(['snapshot', 'main goes on']);
    await ada.fails(['worktree', 'remove', 'side'], 'E_WORKTREE_PENDING');
    await ada.fails(['fork', 'side'], 'E_EXISTS');
    expect(existsSync(`${saved.root}/worktrees/side`)).toBe(false);
  });
});

describe.runIf(CAN_MOUNT)('on a full disk', () => {
  test('a worktree can be removed, and that gives the room back', async ({ dir, ada }) => {
    await withTmpfs(`${dir}/small`, 12, async () => {
      const repo = repositoryAt(`${dir}/small/repo`);
      await ada.at(`${dir}/small`).ok(['init', 'repo']);
      const user = ada.at(repo.root);
      await user.ok(['worktree', 'create', 'side']);
      fillDisk(`${repo.root}/worktrees/side/filler`);

      await user.ok(['worktree', 'remove', 'side', '--force', '--discard']);

      expect(readdirSync(`${repo.control}/worktrees`)).toEqual(['main']);
      await expectRepaired(user);
      expect(statSync(`${repo.control}/reserve`).size).toBe(4 << 20);
    });
  });

  test('a restore that died is settled', async ({ dir, ada }) => {
    await withTmpfs(`${dir}/small`, 12, async () => {
      const repo = repositoryAt(`${dir}/small/repo`);
      await ada.at(`${dir}/small`).ok(['init', 'repo']);
      const user = ada.at(repo.root);
      writeFileSync(`${repo.main}/hello.txt`, 'hello\n');
      await user.ok(['lock', 'acquire', '--worktree', 'main']);
      await user.ok(['snapshot', 'first', '--worktree', 'main']);
      writeFileSync(`${repo.main}/work`, WORK);
      const args = ['restore', 'main:HEAD', '--worktree', 'main', '--inplace', '--force', '--reason', 'a test'];
      await crash(user, args, 'restore:old', 'kill');
      fillDisk(`${repo.root}/filler`);

      await user.run(['doctor', '--repair-runtime']);

      expect(stateRecords(repo).at(-1)).toMatchObject({ kind: 'end', pending: null });
      expect(readFileSync(`${repo.main}/hello.txt`, 'utf8')).toBe('hello\n');
      rmSync(`${repo.root}/filler`);
      await expectRepaired(user);
    });
  });
});
