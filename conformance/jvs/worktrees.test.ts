import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';

import { auditRecords, readJson, stateRecords, test, type Descriptor } from '@jvs/testkit';
import { describe, expect } from 'vitest';

interface WorktreeConfig {
  worktree_id: string;
  isolation: string;
  created_at: string;
  base_snapshot_id: string | null;
  label: string | null;
}

describe('worktree create, list, path', () => {
  test('create starts empty, with a label and two records', async ({ repo, ada }) => {
    const made = await ada.json<{ name: string; path: string; config: WorktreeConfig }>([
      'worktree',
      'create',
      'spare',
      '--label',
      'for later',
    ]);

    expect(made).toMatchObject({ name: 'spare', path: `${repo.root}/worktrees/spare` });
    expect(made.config).toMatchObject({ base_snapshot_id: null, label: 'for later', isolation: 'exclusive' });
    expect(readJson(`${repo.control}/worktrees/spare/config.json`)).toEqual(made.config);
    expect(readdirSync(made.path)).toEqual([]);
    expect(stateRecords(repo, 'spare').map(({ kind }) => kind)).toEqual(['create', 'end']);
    expect(auditRecords(repo).map(({ operation }) => operation)).toEqual([
      'repo_init',
      'worktree_create',
      'worktree_create',
    ]);
  });

  test('create --from starts at a snapshot, which becomes its head', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'side', '--from', saved.id]);

    const side = ada.at(`${saved.root}/worktrees/side`);
    expect(readdirSync(side.cwd)).toEqual(['hello.txt']);
    expect(await side.json(['status'])).toMatchObject({ worktree: 'side', head_snapshot_id: saved.id, clean: true });
    expect(await side.json<Descriptor[]>(['history'])).toMatchObject([{ snapshot_id: saved.id }]);
  });

  test('locks and heads of worktrees are independent', async ({ saved, ada, bob }) => {
    await ada.ok(['worktree', 'create', 'side', '--from', saved.id]);
    const side = bob.at(`${saved.root}/worktrees/side`);

    await side.ok(['lock', 'acquire']);
    const made = await side.json<Descriptor>(['snapshot', 'by bob']);
    await ada.ok(['snapshot', 'by ada']);

    expect(made).toMatchObject({ parent_snapshot_id: saved.id, worktree_name: 'side' });
    expect(stateRecords(saved).at(-1)?.head_snapshot_id).not.toBe(made.snapshot_id);
  });

  test('list is sorted by name', async ({ saved, ada }) => {
    for (const name of ['zeta', 'Alpha', 'beta']) await ada.ok(['worktree', 'create', name]);

    const listed = await ada.json<{ name: string; pending: unknown }[]>(['worktree', 'list']);
    expect(listed.map(({ name }) => name)).toHaveLength(4);
    expect(listed.map(({ name }) => name)).toEqual(listed.map(({ name }) => name).toSorted());
    expect(listed.every(({ pending }) => pending === null)).toBe(true);
    expect(await ada.ok(['wt', 'list'])).toMatch(new RegExp(`^main +${saved.id} +exclusive +held$`, 'm'));
  });

  test('path of the current worktree, of another, of none', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'side']);

    expect(await ada.ok(['worktree', 'path'])).toBe(`${saved.main}\n`);
    expect(await ada.ok(['worktree', 'path', 'side'])).toBe(`${saved.root}/worktrees/side\n`);
    await ada.fails(['worktree', 'path', 'nowhere'], 'E_NOT_FOUND');
  });
});

describe('status', () => {
  test('tells what changed since the head', async ({ repo, ada }) => {
    for (const name of ['kept', 'edited', 'gone', 'mode', 'type']) writeFileSync(`${repo.main}/${name}`, name);
    await ada.ok(['lock', 'acquire']);
    await ada.ok(['snapshot']);
    expect(await ada.json(['status'])).toMatchObject({ clean: true, mine: true, lock_state: 'held', pending: null });

    writeFileSync(`${repo.main}/edited`, 'EDITED');
    writeFileSync(`${repo.main}/new`, '');
    rmSync(`${repo.main}/gone`);
    rmSync(`${repo.main}/type`);
    mkdirSync(`${repo.main}/type`);
    chmodSync(`${repo.main}/mode`, 0o755);

    const status = await ada.json<Record<string, unknown>>(['status']);
    const paths = (field: string) => JSON.stringify(status[field]);
    expect(status['clean']).toBe(false);
    expect(paths('added')).toContain('new');
    expect(paths('removed')).toContain('gone');
    expect(paths('modified')).toContain('edited');
    expect(paths('mode_changed')).toContain('mode');
    expect(paths('type_changed')).toContain('type');
    expect(JSON.stringify(status)).not.toContain('kept');
    expect((await ada.run(['status', '--exit-code'])).exitCode).toBe(1);
    expect((await ada.ok(['status', '--short'])).trim().split('\n')).toHaveLength(5);
  });

  test('sees a change that left size and time as they were', async ({ saved, ada }) => {
    const { atime, mtime } = lstatSync(`${saved.main}/hello.txt`);
    writeFileSync(`${saved.main}/hello.txt`, 'HELLO\n');
    utimesSync(`${saved.main}/hello.txt`, atime, mtime);

    expect(await ada.json(['status'])).toMatchObject({ clean: false });
  });

  test('--exit-code is 0 when nothing changed', async ({ saved, ada }) => {
    expect((await ada.run(['status', '--exit-code'])).exitCode).toBe(0);
    expect(await ada.json(['status'])).toMatchObject({ head_snapshot_id: saved.id });
  });
});
