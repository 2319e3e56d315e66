import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';

import { auditRecords, stateRecords, test, type SavedRepository, type User } from '@jvs/testkit';
import { describe } from 'vitest';

import { crash, expectRepaired, type Report } from './aftermath.ts';
import { ACTIONS, CREATE_STEPS, SETTLE_STEPS } from './failpoints.ts';

const cases = CREATE_STEPS.flatMap((step) => ACTIONS.map((action) => [step, action] as const));
const RESTORE = ['restore', 'HEAD', '--name', 'again'];

/** A worktree is a name, a log and a payload: either all of it is there after the repair, or none. */
async function wholeOrNothing(saved: SavedRepository, user: User): Promise<'whole' | 'nothing'> {
  const names = readdirSync(`${saved.control}/worktrees`);
  const payloads = existsSync(`${saved.root}/worktrees`) ? readdirSync(`${saved.root}/worktrees`) : [];
  if (!names.includes('again')) {
    if (payloads.includes('again')) throw new Error('A payload without metadata was left');
    return 'nothing';
  }
  if (readFileSync(`${saved.root}/worktrees/again/hello.txt`, 'utf8') !== 'hello\n') throw new Error('Not the payload');
  const status = await user.json<{ pending: unknown; clean: boolean }>(['status', '--worktree', 'again']);
  if (status.pending !== null || !status.clean) throw new Error(JSON.stringify(status));
  return 'whole';
}

/** A claimed name without log counts as abandoned after a minute; makes it a day old. */
function ageClaims(saved: SavedRepository): void {
  const old = (Date.now() - 24 * 3600 * 1000) / 1000;
  for (const path of ['again/config.json', 'again']) {
    if (readdirSync(`${saved.control}/worktrees`).includes('again')) {
      utimesSync(`${saved.control}/worktrees/${path}`, old, old);
    }
  }
}

describe.concurrent('a restore that dies or fails at any step', () => {
  test.for(cases)('create:%s=%s', async ([step, action], { saved, ada, expect }) => {
    await crash(ada, RESTORE, `create:${step}`, action);
    if (step === 'claim') ageClaims(saved);

    await expectRepaired(ada);
    const left = await wholeOrNothing(saved, ada);
    const again = await ada.run(RESTORE);
    expect(again.exitCode, again.stderr).toBe(left === 'whole' ? 1 : 0);
    if (left === 'whole') expect(again.stderr).toContain('E_EXISTS');
    if (left === 'nothing') expect(await wholeOrNothing(saved, ada)).toBe('whole');
    if (['record', 'audit', 'payload', 'end'].includes(step)) expect(left).toBe('whole');
  });
});

describe.concurrent('a pending operation', () => {
  test.for(['record', 'audit', 'payload'])(
    'after create:%s is an error of doctor',
    async (step, { saved, ada, expect }) => {
      await crash(ada, RESTORE, `create:${step}`, 'kill');

      const report = await ada.unhealthy<Report>(['doctor']);
      expect(report.findings).toContainEqual(
        expect.objectContaining({ category: 'pending_operation', severity: 'error', repair: 'settle' }),
      );
      expect(stateRecords(saved, 'again').at(-1)?.pending).toMatchObject({ op: 'create' });
    },
  );

  test('is settled by the next command that writes there', async ({ saved, bob, ada, expect }) => {
    await crash(ada, RESTORE, 'create:record', 'kill');
    await ada.ok(['snapshot', 'main is not concerned']);

    await bob.ok(['lock', 'acquire', '--worktree', 'again']);
    await bob.ok(['snapshot', 'settled', '--worktree', 'again']);

    expect(await wholeOrNothing(saved, bob)).toBe('whole');
    const ended = auditRecords(saved).filter(({ details }) => details['phase'] === 'end');
    expect(ended).toMatchObject([{ target: 'again', details: { outcome: 'done' } }]);
    await bob.ok(['audit', 'verify']);
  });

  test('whose op directory is lost is brought to its end from the snapshot', async ({ saved, ada, expect }) => {
    await crash(ada, RESTORE, 'create:audit', 'kill');
    for (const name of readdirSync(`${saved.control}/tmp`)) rmSync(`${saved.control}/tmp/${name}`, { recursive: true });

    await expectRepaired(ada);

    expect(await wholeOrNothing(saved, ada)).toBe('whole');
  });

  test('finds a directory in its way: moved aside, reported, never deleted', async ({ saved, ada, expect }) => {
    await crash(ada, RESTORE, 'create:audit', 'kill');
    mkdirSync(`${saved.root}/worktrees/again`);
    writeFileSync(`${saved.root}/worktrees/again/mine`, 'mine');

    const out = await ada.run(['--json', 'doctor', '--repair-runtime']);

    expect(out.stdout + out.stderr).toContain('intruder');
    const kept = readdirSync(`${saved.control}/tmp`, { recursive: true, encoding: 'utf8' });
    expect(kept.filter((name) => /intruder-[0-9a-f-]{36}\/mine$/.test(name))).toHaveLength(1);
    expect(await wholeOrNothing(saved, ada)).toBe('whole');
  });
});

describe.concurrent('settling can itself be interrupted', () => {
  /** Brings about what makes a settler pass through the step. */
  const arrange: Record<string, (saved: SavedRepository) => void> = {
    intruder: (saved) => {
      mkdirSync(`${saved.root}/worktrees/again`);
      writeFileSync(`${saved.root}/worktrees/again/mine`, 'mine');
    },
    rebuild: (saved) => {
      for (const name of readdirSync(`${saved.control}/tmp`))
        rmSync(`${saved.control}/tmp/${name}`, { recursive: true });
    },
  };

  test.for(SETTLE_STEPS)('settle:%s=kill', async (step, { saved, ada, bob, expect }) => {
    await crash(ada, RESTORE, 'create:audit', 'kill');
    arrange[step]?.(saved);
    await crash(ada, ['doctor', '--repair-runtime'], `settle:${step}`, 'kill');

    await bob.run(['doctor', '--repair-runtime']);

    expect(await wholeOrNothing(saved, bob)).toBe('whole');
    expect((await bob.json<Report>(['doctor', '--strict'])).healthy).toBe(true);
    await bob.ok(['audit', 'verify']);
  });
});

test('a frozen creator whose operation was settled does no harm', async ({ saved, ada, bob, expect }) => {
  const running = ada.start(RESTORE, { env: { JVS_FAILPOINT: 'create:audit=stop' } });
  await running.stopped();
  await bob.ok(['lock', 'acquire', '--worktree', 'again']);
  writeFileSync(`${saved.root}/worktrees/again/new`, 'by bob');
  await bob.ok(['snapshot', 'by bob', '--worktree', 'again']);

  running.resume();
  await running.result;

  expect(readdirSync(`${saved.root}/worktrees/again`).toSorted()).toEqual(['hello.txt', 'new']);
  expect(stateRecords(saved, 'again').map(({ kind }) => kind)).toEqual(['create', 'acquire', 'end', 'head']);
  expect((await bob.json<Report>(['doctor', '--strict'])).healthy).toBe(true);
});
