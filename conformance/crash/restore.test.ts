import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { auditRecords, setHeartbeatBack, test, type SavedRepository, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { crash, type Report } from './aftermath.ts';
import { mostActions, RESTORE_STEPS, variants } from './failpoints.ts';
import { expectOrder, idOf, LATE, RESTORE, settle, WORK, writeLate } from './moves.ts';

/** From this step on the payload has moved, and whoever settles finishes the restore. */
const MOVED = ['old', 'new', 'end', 'discard'];
const DISCARD = [...RESTORE.args, '--discard'];

/** Head and payload go together: both are as they were, or both are the restored ones. */
async function expectRestored(saved: SavedRepository, ada: User, isRestored: boolean, texts = [WORK]): Promise<void> {
  const newest = await expectOrder(saved, ada, idOf(saved, 'main'), texts);
  expect(newest.head_snapshot_id === saved.id).toBe(isRestored);
  expect(readFileSync(`${saved.main}/hello.txt`, 'utf8')).toBe(isRestored ? 'hello\n' : 'second\n');
  expect(existsSync(`${saved.main}/work`)).toBe(!isRestored);
  const ends = auditRecords(saved).filter(
    ({ operation, details }) => operation === 'restore' && details['phase'] === 'end',
  );
  expect(new Set(ends.map(({ details }) => details['outcome']))).toEqual(
    new Set(ends.length === 0 ? [] : [isRestored ? 'done' : 'undone']),
  );
}

describe.concurrent('an in-place restore that dies or fails at any step', () => {
  const steps = RESTORE_STEPS.filter((step) => step !== 'discard');

  test.for(mostActions(steps))('restore:%s=%s', async ([step, action], { saved, ada }) => {
    await RESTORE.prepare(saved, ada);
    await crash(ada, RESTORE.args, `restore:${step}`, action);

    await expectRestored(saved, ada, MOVED.includes(step));
  });

  test.for(['audit', 'old'])(
    'restore:%s=kill is settled by the next snapshot',
    async (step, { saved, ada, expect }) => {
      await RESTORE.prepare(saved, ada);
      await crash(ada, RESTORE.args, `restore:${step}`, 'kill');

      const next = await ada.json<{ parent_snapshot_id: string }>(['snapshot', 'the next one', '--worktree', 'main']);

      expect(next.parent_snapshot_id === saved.id).toBe(step === 'old');
      await expectOrder(saved, ada, idOf(saved, 'main'), [WORK]);
    },
  );

  test('restore:discard=kill', async ({ saved, ada }) => {
    await RESTORE.prepare(saved, ada);
    await crash(ada, DISCARD, 'restore:discard', 'kill');

    await expectRestored(saved, ada, true, []);
  });
});

describe.concurrent('an in-place restore that stands still while its own session goes on', () => {
  const stops = variants(RESTORE_STEPS, { settlers: [1, 2], late: [false, true] });

  test.for(stops)('restore:$step, $settlers settle, late edit: $late', async (stop, { saved, ada, expect }) => {
    await RESTORE.prepare(saved, ada);
    const args = stop.step === 'discard' ? DISCARD : RESTORE.args;
    const author = ada.start(args, { env: { JVS_FAILPOINT: `restore:${stop.step}=stop` } });
    await author.stopped();
    if (stop.late) writeLate(saved, 'main');
    await settle(ada, stop.settlers);

    author.resume();
    const { exitCode, stderr } = await author.result;

    expect(stderr).not.toContain('E_INTERNAL');
    const isDone = MOVED.includes(stop.step) || exitCode === 0;
    expect(exitCode === 0, stderr).toBe(isDone);
    if (stop.step === 'opdir') expect(exitCode, stderr).toBe(0);
    await expectRestored(saved, ada, isDone, [
      ...(stop.step === 'discard' ? [] : [WORK]),
      ...(stop.late ? [LATE] : []),
    ]);
  });
});

describe.concurrent('an in-place restore that stands still while its lock is taken over', () => {
  const steps = RESTORE_STEPS.filter((step) => step !== 'discard');

  test.for(steps)('restore:%s', async (step, { saved, ada, bob, expect }) => {
    await RESTORE.prepare(saved, ada);
    bob.cwd = saved.root;
    const author = ada.start(RESTORE.args, { env: { JVS_FAILPOINT: `restore:${step}=stop` } });
    await author.stopped();
    setHeartbeatBack(saved, 2 * 86_400_000);
    await bob.ok(['lock', 'acquire', '--worktree', 'main']);
    writeFileSync(`${saved.main}/bob`, 'by bob');
    const his = await bob.json<{ snapshot_id: string }>(['snapshot', 'by bob', '--worktree', 'main']);

    author.resume();
    const { exitCode, stderr } = await author.result;

    const newest = await expectOrder(saved, bob, idOf(saved, 'main'), [WORK, 'by bob']);
    expect(newest.head_snapshot_id).toBe(his.snapshot_id);
    // What had moved was finished by bob's acquire, and the log says so; else nothing happened.
    if (MOVED.includes(step)) expect(exitCode, stderr).toBe(0);
    else expect(stderr).toContain('E_FENCING_MISMATCH');
    expect(await bob.json(['status', '--worktree', 'main'])).toMatchObject({
      clean: true,
      head_snapshot_id: his.snapshot_id,
    });
  });
});

describe.concurrent('at once with', () => {
  test('another in-place restore of the same session: one wins, one changes nothing', async ({
    saved,
    ada,
    expect,
  }) => {
    await RESTORE.prepare(saved, ada);

    const results = await Promise.all([ada.run(RESTORE.args), ada.run(RESTORE.args)]);

    for (const { exitCode, stderr } of results) {
      expect(stderr).not.toContain('E_INTERNAL');
      if (exitCode !== 0) expect(stderr).toMatch(/E_HEAD_MOVED|E_WORKTREE_PENDING/);
    }
    expect(results.some(({ exitCode }) => exitCode === 0)).toBe(true);
    await expectRestored(saved, ada, true);
  });

  test('a snapshot of the same session: whichever comes second is told', async ({ saved, ada, expect }) => {
    await RESTORE.prepare(saved, ada);

    const [restored, taken] = await Promise.all([
      ada.run(RESTORE.args),
      ada.run(['--json', 'snapshot', 'at once', '--worktree', 'main']),
    ]);

    for (const { exitCode, stderr } of [restored, taken]) {
      if (exitCode !== 0) expect(stderr).toMatch(/E_HEAD_MOVED|E_WORKTREE_PENDING|E_CONSISTENCY_UNAVAILABLE|E_IO/);
    }
    expect([restored.exitCode, taken.exitCode], restored.stderr + taken.stderr).toContain(0);
    await expectOrder(saved, ada, idOf(saved, 'main'), [WORK]);
  });

  test('a snapshot of another session, which has no lock', async ({ saved, ada, bob, expect }) => {
    await RESTORE.prepare(saved, ada);
    const author = ada.start(RESTORE.args, { env: { JVS_FAILPOINT: 'restore:old=stop' } });
    await author.stopped();

    bob.cwd = saved.root;
    await bob.fails(['snapshot', 'by bob', '--worktree', 'main'], 'E_WORKTREE_PENDING');
    await bob.fails(['snapshot', '--lock', 'by bob', '--worktree', 'main'], 'E_WORKTREE_PENDING');
    const report = await bob.unhealthy<Report>(['doctor', '--repair-runtime']);
    expect(report.findings).toContainEqual(
      expect.objectContaining({ category: 'pending_operation', severity: 'error' }),
    );

    author.resume();
    expect((await author.result).exitCode).toBe(0);
    await expectRestored(saved, ada, true);
  });
});

test('a copy of parts leaves nothing under its name when it dies', async ({ dir, saved, ada, expect }) => {
  const args = ['restore', saved.id, '--path', 'hello.txt', '--to', `${dir}/out`];
  await crash(ada, args, 'restore:staged', 'kill');
  expect(existsSync(`${dir}/out`)).toBe(false);

  await ada.ok(args);

  expect(readFileSync(`${dir}/out/hello.txt`, 'utf8')).toBe('hello\n');
});
