import { writeFileSync } from 'node:fs';

import { auditRecords, stateRecords, test, type Descriptor } from '@jvs/testkit';
import { expect } from 'vitest';

test('writers in three worktrees and readers of everything do not disturb each other', async ({ saved, ada, bob }) => {
  const worktrees = ['one', 'two', 'three'];
  for (const name of worktrees) {
    await ada.ok(['worktree', 'create', name, '--from', saved.id]);
    await ada.ok(['lock', 'acquire', '--worktree', name]);
  }
  let writing = true;
  const write = async (worktree: string) => {
    const user = ada.at(`${saved.root}/worktrees/${worktree}`);
    for (let n = 0; n < 3; n++) {
      writeFileSync(`${user.cwd}/${worktree}-${n}`, `${worktree} ${n}`);
      await user.ok(['snapshot', `${worktree} ${n}`]);
    }
  };
  const read = async () => {
    while (writing) {
      await bob.ok(['verify', '--all']);
      expect(await bob.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
      expect(await bob.json(['audit', 'verify'])).toMatchObject({ valid: true });
    }
  };

  const reading = read();
  await Promise.all(worktrees.map(write)).finally(() => (writing = false));
  await reading;

  for (const name of worktrees) {
    expect(stateRecords(saved, name).filter(({ kind }) => kind === 'head')).toHaveLength(3);
    const history = await bob.json<Descriptor[]>(['history', '--worktree', name]);
    expect(history.map(({ note }) => note)).toEqual([`${name} 2`, `${name} 1`, `${name} 0`, 'first']);
  }
  expect(auditRecords(saved).filter(({ operation }) => operation === 'snapshot')).toHaveLength(10);
  expect(await bob.json(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
});

test('three snapshots of one session at once: one head each, no fork of the lineage', async ({ saved, ada }) => {
  const results = await Promise.all([1, 2, 3].map(async (n) => ada.run(['snapshot', `at once ${n}`])));

  const made = results.filter(({ exitCode }) => exitCode === 0);
  expect(made.length).toBeGreaterThanOrEqual(1);
  for (const { exitCode, stderr } of results) {
    if (exitCode !== 0) expect(stderr).toContain('jvs: E_HEAD_MOVED: ');
  }
  const history = await ada.json<Descriptor[]>(['history']);
  expect(history).toHaveLength(1 + made.length);
  expect(history.at(-1)?.snapshot_id).toBe(saved.id);
  expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
});
