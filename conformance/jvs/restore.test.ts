import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { PAYLOAD_VECTORS, readJson, stateRecords, test, worktreeId, writePayload, type Descriptor } from '@jvs/testkit';
import { describe, expect } from 'vitest';

interface Restored {
  mode: string;
  snapshot_id: string;
  worktree: string;
  path: string;
  content: string;
}

interface WorktreeConfig {
  worktree_id: string;
  isolation: string;
  created_at: string;
  base_snapshot_id: string | null;
  label: string | null;
}

describe('restore', () => {
  test('makes a new worktree and leaves every other one alone', async ({ saved, ada }) => {
    writeFileSync(`${saved.main}/hello.txt`, 'work in progress\n');

    const restored = await ada.json<Restored>(['restore', saved.id, '--name', 'again']);

    expect(restored).toMatchObject({
      snapshot_id: saved.id,
      worktree: 'again',
      path: `${saved.root}/worktrees/again`,
    });
    expect(['verified', 'unread']).toContain(restored.content);
    expect(readFileSync(`${restored.path}/hello.txt`, 'utf8')).toBe('hello\n');
    expect(readFileSync(`${saved.main}/hello.txt`, 'utf8')).toBe('work in progress\n');
    expect(stateRecords(saved)).toHaveLength(3);
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });

  test('needs no lock, and gives the worktree its own identity, based on the snapshot', async ({ saved, bob }) => {
    await bob.ok(['restore', saved.id, '--name', 'again']);

    const config = readJson<WorktreeConfig>(`${saved.control}/worktrees/again/config.json`);
    expect(config).toMatchObject({ isolation: 'exclusive', base_snapshot_id: saved.id });
    expect(config.worktree_id).not.toBe(worktreeId(saved));
    const [created, ended] = stateRecords(saved, 'again');
    expect(created).toMatchObject({
      kind: 'create',
      head_snapshot_id: saved.id,
      lock: null,
      pending: { op: 'create', snapshot_id: saved.id },
    });
    expect(ended).toMatchObject({ kind: 'end', head_snapshot_id: saved.id, pending: null, worktree: 'again' });
  });

  test('without --name makes one up', async ({ saved, ada }) => {
    const { worktree } = await ada.json<Restored>(['restore', saved.id]);

    expect(worktree).toMatch(new RegExp(`^restore-${saved.id.slice(0, 8)}-\\d{8}-\\d{6}-[0-9a-f]{4}$`));
    expect(readdirSync(`${saved.root}/worktrees`)).toEqual([worktree]);
  });

  test('brings back exactly the payload', async ({ repo, ada }) => {
    writePayload(repo.main, 'M2');
    await ada.ok(['lock', 'acquire']);
    const { snapshot_id } = await ada.json<Descriptor>(['snapshot']);

    const { content } = await ada.json<Restored>(['restore', snapshot_id, '--name', 'again', '--verify']);
    const there = ada.at(`${repo.root}/worktrees/again`);
    await there.ok(['lock', 'acquire']);
    const second = await there.json<Descriptor>(['snapshot']);

    expect(content).toBe('verified');
    expect(second.payload_root_hash.value).toBe(PAYLOAD_VECTORS.M2.rootHash);
    const mtime = (root: string) => lstatSync(`${root}/bin/run.sh`).mtimeMs;
    expect(Math.abs(mtime(`${repo.root}/worktrees/again`) - mtime(repo.main))).toBeLessThan(0.01);
  });

  test('shares no file with the snapshot', async ({ saved, ada }) => {
    await ada.ok(['restore', saved.id, '--name', 'again']);
    writeFileSync(`${saved.root}/worktrees/again/hello.txt`, 'edited\n');

    await ada.ok(['verify', '--all']);
    expect(lstatSync(`${saved.root}/worktrees/again/hello.txt`).nlink).toBe(1);
  });

  test('into a name or a path that is taken is E_EXISTS and changes nothing', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'taken']);
    mkdirSync(`${saved.root}/worktrees/in-the-way`);
    writeFileSync(`${saved.root}/worktrees/in-the-way/mine`, 'mine');

    await ada.fails(['restore', saved.id, '--name', 'taken'], 'E_EXISTS');
    await ada.fails(['restore', saved.id, '--name', 'in-the-way'], 'E_EXISTS');

    expect(readdirSync(`${saved.root}/worktrees/taken`)).toEqual([]);
    expect(readdirSync(`${saved.root}/worktrees/in-the-way`)).toEqual(['mine']);
    expect(readdirSync(`${saved.control}/worktrees`).toSorted()).toEqual(['main', 'taken']);
    expect(stateRecords(saved, 'taken')).toHaveLength(2);
  });

  test('of what is not there is E_NOT_FOUND', async ({ saved, ada }) => {
    await ada.fails(['restore', '1771578748123-0a1b2c3d', '--name', 'x'], 'E_NOT_FOUND');
    expect(existsSync(`${saved.root}/worktrees/x`)).toBe(false);
  });

  test('eight at once under one name: one worktree, seven E_EXISTS', async ({ saved, ada }) => {
    const runs = Array.from({ length: 8 }, async () => ada.run(['restore', saved.id, '--name', 'again']));

    const results = await Promise.all(runs);

    const failed = results.filter(({ exitCode }) => exitCode === 1);
    expect(failed.map(({ stderr }) => /E_[A-Z_]+/.exec(stderr)?.[0])).toEqual(Array(7).fill('E_EXISTS'));
    expect(results.filter(({ exitCode }) => exitCode === 0)).toHaveLength(1);
    expect(readFileSync(`${saved.root}/worktrees/again/hello.txt`, 'utf8')).toBe('hello\n');
    expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
  });

  test('of a damaged snapshot fails and leaves no worktree', async ({ saved, ada }) => {
    rmSync(`${saved.control}/snapshots/${saved.id}/hello.txt`);

    await ada.fails(['restore', saved.id, '--name', 'again'], 'E_PAYLOAD_HASH_MISMATCH');

    expect(existsSync(`${saved.root}/worktrees/again`)).toBe(false);
    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
  });

  test('--verify reads everything and finds a changed byte', async ({ saved, ada }) => {
    writeFileSync(`${saved.control}/snapshots/${saved.id}/hello.txt`, 'hellO\n');

    const error = await ada.fails(['restore', saved.id, '--name', 'again', '--verify'], 'E_PAYLOAD_HASH_MISMATCH');

    expect(JSON.stringify([error.message, error.details])).toContain('hello.txt');
    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
  });

  test('of a snapshot whose descriptor was edited is E_DESCRIPTOR_CORRUPT', async ({ saved, ada }) => {
    const path = `${saved.control}/descriptors/${saved.id}.json`;
    writeFileSync(path, readFileSync(path, 'utf8').replace('"first"', '"forged"'));

    await ada.fails(['restore', saved.id, '--name', 'again'], 'E_DESCRIPTOR_CORRUPT');

    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
  });

  test('of what is not visible is E_PARTIAL_SNAPSHOT', async ({ saved, ada }) => {
    await ada.run(['snapshot'], { env: { JVS_FAILPOINT: 'publish:descriptor=kill' } });
    const orphan = readdirSync(`${saved.control}/descriptors`).find((name) => !name.startsWith(saved.id)) ?? '';

    await ada.fails(['restore', orphan.replace('.json', ''), '--name', 'again'], 'E_PARTIAL_SNAPSHOT');

    expect(readdirSync(`${saved.control}/worktrees`)).toEqual(['main']);
  });
});
