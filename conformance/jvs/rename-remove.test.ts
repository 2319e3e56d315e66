import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';

import {
  auditRecords,
  setHeartbeatBack,
  stateRecords,
  test,
  worktreeId,
  type Descriptor,
  type SavedRepository,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { CAN_MOUNT, withTmpfs } from './mounts.ts';

interface Removed {
  removed: string;
  kept: { path: string; until: string } | null;
}

interface Report {
  healthy: boolean;
  findings: { category: string }[];
  kept: { path: string; bytes: number; until: string | null }[];
}

function lastRecord(saved: SavedRepository, id: string) {
  const log = `${saved.control}/state/${id}`;
  const newest = readdirSync(log).toSorted().at(-1) ?? '';
  return JSON.parse(readFileSync(`${log}/${newest}`, 'utf8')) as { kind: string; worktree: string; pending: unknown };
}

describe('worktree rename', () => {
  test('moves name and payload; identity, head and history stay', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);
    writeFileSync(`${saved.root}/worktrees/side/work`, 'in progress');
    const id = worktreeId(saved, 'side');
    const config = readFileSync(`${saved.control}/worktrees/side/config.json`, 'utf8');

    expect(await ada.json(['worktree', 'rename', 'side', 'other'])).toMatchObject({ old: 'side', new: 'other' });

    expect(readdirSync(`${saved.root}/worktrees`)).toEqual(['other']);
    expect(readFileSync(`${saved.root}/worktrees/other/work`, 'utf8')).toBe('in progress');
    expect(readdirSync(`${saved.control}/worktrees`).toSorted()).toEqual(['main', 'other']);
    expect(readFileSync(`${saved.control}/worktrees/other/config.json`, 'utf8')).toBe(config);
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
    const [begun, ended] = stateRecords(saved, 'other').slice(-2);
    expect(begun).toMatchObject({
      kind: 'begin',
      worktree: 'side',
      lock: null,
      pending: { op: 'rename', from: 'side', to: 'other' },
    });
    expect(ended).toMatchObject({ kind: 'end', worktree: 'other', worktree_id: id, pending: null });
    expect(auditRecords(saved).slice(-2)).toMatchObject([
      { operation: 'worktree_rename', target: 'side', details: { phase: 'begin', from: 'side', to: 'other' } },
      { operation: 'worktree_rename', target: 'other', details: { phase: 'end', outcome: 'done' } },
    ]);
    const there = ada.at(`${saved.root}/worktrees/other`);
    expect(await there.json(['status'])).toMatchObject({
      worktree: 'other',
      head_snapshot_id: saved.id,
      added: ['work'],
    });
    await ada.fails(['worktree', 'path', 'side'], 'E_NOT_FOUND');
  });

  test('snapshots keep the name of their time', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);
    const made = await ada.json<Descriptor>(['snapshot', 'there', '--worktree', 'side', '--lock']);

    await ada.ok(['worktree', 'rename', 'side', 'other']);

    expect(await ada.json<Descriptor[]>(['history', '--all'])).toContainEqual(
      expect.objectContaining({ snapshot_id: made.snapshot_id, worktree_name: 'side' }),
    );
    expect(await ada.json(['snapshot', 'here', '--worktree', 'other', '--lock'])).toMatchObject({
      parent_snapshot_id: made.snapshot_id,
      worktree_name: 'other',
    });
    await ada.ok(['verify', '--all']);
    expect(saved.id).toBe(made.parent_snapshot_id);
  });

  test('frees the old name at once, and may change its case', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);
    await ada.ok(['worktree', 'rename', 'side', 'Side']);
    await ada.ok(['worktree', 'rename', 'Side', 'other']);
    await ada.ok(['fork', 'side']);
    await ada.ok(['worktree', 'remove', 'other']);
    await ada.ok(['worktree', 'rename', 'side', 'other']);

    expect(readdirSync(`${saved.root}/worktrees`)).toEqual(['other']);
    expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
    await ada.ok(['audit', 'verify']);
  });

  test('of a locked worktree is E_LOCK_CONFLICT, of an own lock too', async ({ saved, ada, bob }) => {
    await ada.ok(['fork', 'side']);
    await ada.ok(['lock', 'acquire', '--worktree', 'side']);

    await bob.fails(['worktree', 'rename', 'side', 'other'], 'E_LOCK_CONFLICT');
    const { hint } = await ada.fails(['worktree', 'rename', 'side', 'other'], 'E_LOCK_CONFLICT');

    expect(hint).toContain('jvs lock release');
    expect(readdirSync(`${saved.root}/worktrees`)).toEqual(['side']);
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });

  test('a lock whose holder is gone is no obstacle', async ({ saved, ada, bob }) => {
    await ada.ok(['fork', 'side']);
    await ada.ok(['lock', 'acquire', '--worktree', 'side', '--lease-ms', '1000']);
    setHeartbeatBack(saved, 3_600_000, 'side');

    await bob.ok(['worktree', 'rename', 'side', 'other']);

    expect(await bob.json(['lock', 'status', '--worktree', 'other'])).toMatchObject({ state: 'free' });
  });

  test('to what is taken, in whatever case, is E_EXISTS', async ({ saved, ada }) => {
    for (const name of ['side', 'taken']) await ada.ok(['fork', name]);
    mkdirSync(`${saved.root}/worktrees/in-the-way`);

    for (const name of ['taken', 'TAKEN', 'side', 'in-the-way']) {
      await ada.fails(['worktree', 'rename', 'side', name], 'E_EXISTS');
    }

    expect(lastRecord(saved, worktreeId(saved, 'side'))).toMatchObject({ kind: 'end', worktree: 'side' });
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });

  test('of main, to main, and to what is no name', async ({ ada, saved }) => {
    await ada.ok(['fork', 'side']);
    await ada.fails(['worktree', 'rename', 'main', 'x'], 'E_NAME_INVALID');
    await ada.fails(['worktree', 'rename', 'side', 'main'], 'E_NAME_INVALID');
    await ada.fails(['worktree', 'rename', 'side', '../x'], 'E_NAME_INVALID');
    await ada.fails(['worktree', 'rename', '../side', 'x'], 'E_NAME_INVALID');
    await ada.fails(['worktree', 'rename', 'nowhere', 'x'], 'E_NOT_FOUND');

    expect(readdirSync(`${saved.root}/worktrees`)).toEqual(['side']);
  });

  test('of a worktree whose payload is missing is refused', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);
    rmSync(`${saved.root}/worktrees/side`, { recursive: true });

    await ada.fails(['worktree', 'rename', 'side', 'other'], 'E_NOT_FOUND');

    expect(lastRecord(saved, worktreeId(saved, 'side'))).toMatchObject({ kind: 'end', pending: null });
  });
});

describe('worktree remove', () => {
  test('takes name and payload away; snapshots and state log stay', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);
    writeFileSync(`${saved.root}/worktrees/side/new`, 'new');
    const made = await ada.json<Descriptor>(['snapshot', 'there', '--worktree', 'side', '--lock']);
    const id = worktreeId(saved, 'side');

    const { removed, kept } = await ada.json<Removed>(['worktree', 'remove', 'side']);

    expect(removed).toBe('side');
    expect(readdirSync(kept?.path ?? '').toSorted()).toEqual(['hello.txt', 'new']);
    expect(Date.parse(kept?.until ?? '')).toBeGreaterThan(Date.now() + 86_000_000);
    expect(readdirSync(`${saved.root}/worktrees`)).toEqual([]);
    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
    expect(lastRecord(saved, id)).toMatchObject({ kind: 'remove', worktree: 'side', pending: null });
    expect(auditRecords(saved).slice(-2)).toMatchObject([
      { operation: 'worktree_remove', target: 'side', details: { phase: 'begin' } },
      { operation: 'worktree_remove', target: 'side', details: { phase: 'end', outcome: 'done' } },
    ]);
    const all = await ada.json<Descriptor[]>(['history', '--all']);
    expect(all.map(({ snapshot_id }) => snapshot_id)).toContain(made.snapshot_id);
    await ada.ok(['restore', made.snapshot_id, '--name', 'back']);
    expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
  });

  test('shows the kept tree with its size, and clean_tmp deletes it after a day', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);
    const { kept } = await ada.json<Removed>(['worktree', 'remove', 'side']);

    const report = await ada.json<Report>(['doctor', '--repair-runtime']);
    expect(report.kept).toMatchObject([{ path: kept?.path, until: kept?.until }]);
    expect(report.kept[0]?.bytes).toBeGreaterThan(0);

    const [op = ''] = readdirSync(`${saved.control}/tmp`);
    const yesterday = Date.now() / 1000 - 25 * 3600;
    utimesSync(`${saved.control}/tmp/${op}`, yesterday, yesterday);
    expect((await ada.json<Report>(['doctor', '--repair-runtime'])).kept).toEqual([]);
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });

  test('refuses changes that are in no snapshot, and names ten of them', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);
    for (let n = 10; n < 22; n += 1) writeFileSync(`${saved.root}/worktrees/side/new-${n}`, '');

    const { details } = await ada.fails(['worktree', 'remove', 'side'], 'E_WORKTREE_DIRTY');

    expect(details['count']).toBe(12);
    expect(details['paths']).toEqual(Array.from({ length: 10 }, (_, n) => `new-${n + 10}`));
    expect(existsSync(`${saved.root}/worktrees/side/new-10`)).toBe(true);
    await ada.ok(['worktree', 'remove', 'side', '--force']);
    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
  });

  test('of an empty worktree that never had a snapshot is clean, of one with files is not', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'empty']);
    await ada.ok(['worktree', 'create', 'full']);
    writeFileSync(`${saved.root}/worktrees/full/only-copy`, '');

    await ada.ok(['worktree', 'remove', 'empty']);
    await ada.fails(['worktree', 'remove', 'full'], 'E_WORKTREE_DIRTY');
  });

  test('--discard deletes at once', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);

    expect(await ada.json(['worktree', 'remove', 'side', '--discard'])).toEqual({ removed: 'side', kept: null });

    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });

  test('--dry-run makes the checks and removes nothing', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);

    expect(await ada.json(['worktree', 'remove', 'side', '--dry-run'])).toMatchObject({
      removed: 'side',
      dry_run: true,
    });
    expect(await ada.ok(['worktree', 'remove', 'side', '--dry-run'])).toBe("Would remove: worktree 'side'\n");
    writeFileSync(`${saved.root}/worktrees/side/new`, '');
    await ada.fails(['worktree', 'remove', 'side', '--dry-run'], 'E_WORKTREE_DIRTY');
    await ada.fails(['worktree', 'remove', 'main', '--dry-run'], 'E_NAME_INVALID');

    expect(stateRecords(saved, 'side')).toHaveLength(2);
    expect(readdirSync(`${saved.root}/worktrees`)).toEqual(['side']);
  });

  test('of main, of what is locked, of what is not there', async ({ saved, ada, bob }) => {
    await ada.ok(['fork', 'side']);
    await ada.ok(['lock', 'acquire', '--worktree', 'side']);

    await ada.fails(['worktree', 'remove', 'main', '--force'], 'E_NAME_INVALID');
    await bob.fails(['worktree', 'remove', 'side', '--force'], 'E_LOCK_CONFLICT');
    await ada.fails(['worktree', 'remove', 'side', '--force'], 'E_LOCK_CONFLICT');
    await ada.fails(['worktree', 'remove', 'nowhere'], 'E_NOT_FOUND');

    expect(readdirSync(`${saved.control}/worktrees`).toSorted()).toEqual(['main', 'side']);
  });

  test('of a worktree whose payload is missing', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);
    rmSync(`${saved.root}/worktrees/side`, { recursive: true });

    await ada.ok(['worktree', 'remove', 'side']);

    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
    expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
  });

  test.runIf(CAN_MOUNT)('of a worktree with something mounted in it is refused, by name', async ({ saved, ada }) => {
    await ada.ok(['fork', 'side']);

    await withTmpfs(`${saved.root}/worktrees/side/mounted`, 1, async () => {
      const error = await ada.fails(['worktree', 'remove', 'side', '--force', '--discard'], 'E_PAYLOAD_UNSUPPORTED');
      expect(error.details['paths']).toEqual(['mounted']);
    });
  });

  test('frees the name at once, again and again', async ({ saved, ada }) => {
    for (let n = 0; n < 3; n += 1) {
      await ada.ok(['fork', 'side']);
      await ada.ok(['worktree', 'remove', 'side']);
    }

    expect(readdirSync(`${saved.control}/state`)).toHaveLength(4);
    await ada.ok(['audit', 'verify']);
    await ada.ok(['verify', '--all']);
  });
});
