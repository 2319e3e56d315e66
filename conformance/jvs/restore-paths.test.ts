import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';

import { stateRecords, test, writePayload, type Descriptor, type RepositoryFiles, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

interface Restored {
  mode: string;
  path: string;
  entries: number;
  content: string;
  worktree: string | null;
  kept: null;
}

/** A snapshot of the payload M2 with a deeper tree, and its id. */
async function snapshotTree(repo: RepositoryFiles, ada: User): Promise<string> {
  writePayload(repo.main, 'M2');
  mkdirSync(`${repo.main}/deep/er`, { recursive: true });
  writeFileSync(`${repo.main}/deep/er/file`, 'deep');
  writeFileSync(`${repo.main}/deep/beside`, 'beside');
  symlinkSync('/etc', `${repo.main}/deep/etc`);
  utimesSync(`${repo.main}/deep`, 1_600_000_000, 1_600_000_000);
  return (await ada.json<Descriptor>(['snapshot', '--lock'])).snapshot_id;
}

/** What find(1) says of a tree: path, type, mode, time to 10 µs, link target. */
function listing(root: string): string[] {
  const out = execFileSync('find', [root, '-mindepth', '1', '-printf', '%P|%y %m %T@ %l\\n'], { encoding: 'utf8' });
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map(withTenMicroseconds)
    .toSorted();
}

function withTenMicroseconds(line: string): string {
  return line.replace(/\d+\.\d+/, (seconds) => (Math.round(Number(seconds) * 1e5) / 1e5).toFixed(5));
}

describe('restore --path --to', () => {
  test('copies files, links and directories with all below, under their names', async ({ dir, repo, ada }) => {
    const id = await snapshotTree(repo, ada);
    const records = stateRecords(repo).length;

    const restored = await ada.json<Restored>([
      'restore',
      id,
      '--path',
      'bin',
      '--path',
      'deep/er/file',
      '--path',
      'link',
      '--to',
      `${dir}/out`,
    ]);

    expect(restored).toMatchObject({
      mode: 'paths',
      path: `${dir}/out`,
      entries: 4,
      content: 'verified',
      worktree: null,
      kept: null,
    });
    expect(readdirSync(`${dir}/out`, { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([
      'bin',
      'bin/run.sh',
      'deep',
      'deep/er',
      'deep/er/file',
      'link',
    ]);
    const expected = listing(repo.main).filter((line) =>
      /^(bin|bin\/run\.sh|deep|deep\/er|deep\/er\/file|link)\|/.test(line),
    );
    expect(listing(`${dir}/out`)).toEqual(expected);
    expect(stateRecords(repo)).toHaveLength(records);
    expect(readdirSync(`${repo.control}/worktrees`)).toEqual(['main']);
    expect(readdirSync(dir).filter((name) => name.includes('restore'))).toEqual([]);
  });

  test('says how much', async ({ dir, saved, bob }) => {
    const text = await bob.ok(['restore', saved.id, '--path', 'hello.txt', '--to', `${dir}/out`]);

    expect(text).toBe(`Restored 1 entries of ${saved.id} to ${dir}/out\n`);
  });

  test('of everything, of one path twice, and of a path inside another', async ({ dir, repo, ada }) => {
    const id = await snapshotTree(repo, ada);

    await ada.ok(['restore', id, '--path', '.', '--to', `${dir}/all`]);
    await ada.ok(['restore', id, '--path', 'deep/', '--path', './deep', '--path', 'deep/er', '--to', `${dir}/deep`]);

    expect(listing(`${dir}/all`)).toEqual(listing(repo.main));
    expect(existsSync(`${dir}/all/.READY`)).toBe(false);
    expect(readdirSync(`${dir}/deep/deep`).toSorted()).toEqual(['beside', 'er', 'etc']);
  });

  test('follows no link of the snapshot', async ({ dir, repo, ada }) => {
    const id = await snapshotTree(repo, ada);

    await ada.fails(['restore', id, '--path', 'deep/etc/passwd', '--to', `${dir}/out`], 'E_NOT_FOUND');
    await ada.ok(['restore', id, '--path', 'deep/etc', '--to', `${dir}/out`]);

    expect(readlinkSync(`${dir}/out/deep/etc`)).toBe('/etc');
  });

  test('of what the snapshot lacks names it and makes nothing', async ({ dir, saved, ada }) => {
    const { message } = await ada.fails(
      ['restore', saved.id, '--path', 'hello.txt', '--path', 'no/such', '--to', `${dir}/out`],
      'E_NOT_FOUND',
    );

    expect(message).toContain('no/such');
    expect(existsSync(`${dir}/out`)).toBe(false);
  });

  test('of paths that leave the snapshot is E_PATH_ESCAPE', async ({ dir, saved, ada }) => {
    for (const path of ['../main', '/etc/passwd', 'a/../../b']) {
      await ada.fails(['restore', saved.id, '--path', path, '--to', `${dir}/out`], 'E_PATH_ESCAPE');
    }
    expect(existsSync(`${dir}/out`)).toBe(false);
  });

  test('to what exists, to what has no parent, and into the control directory', async ({ dir, saved, ada }) => {
    mkdirSync(`${dir}/empty`);
    writeFileSync(`${dir}/file`, 'mine');

    for (const name of ['empty', 'file']) {
      await ada.fails(['restore', saved.id, '--path', 'hello.txt', '--to', `${dir}/${name}`], 'E_EXISTS');
    }
    await ada.fails(['restore', saved.id, '--path', 'hello.txt', '--to', `${dir}/no/such`], 'E_NOT_FOUND');
    expect((await ada.run(['restore', saved.id, '--path', 'hello.txt', '--to', `${saved.control}/x`])).exitCode).toBe(
      2,
    );

    expect(readFileSync(`${dir}/file`, 'utf8')).toBe('mine');
    expect(readdirSync(`${dir}/empty`)).toEqual([]);
  });

  test('of a damaged file fails and leaves nothing', async ({ dir, saved, ada }) => {
    writeFileSync(`${saved.control}/snapshots/${saved.id}/hello.txt`, 'hellO\n');

    await ada.fails(['restore', saved.id, '--path', 'hello.txt', '--to', `${dir}/out`], 'E_PAYLOAD_HASH_MISMATCH');

    expect(readdirSync(dir).filter((name) => name.includes('out'))).toEqual([]);
  });

  test('shares nothing with the snapshot, and keeps modes', async ({ dir, repo, ada }) => {
    const id = await snapshotTree(repo, ada);
    await ada.ok(['restore', id, '--path', 'bin/run.sh', '--to', `${dir}/out`]);

    expect(lstatSync(`${dir}/out/bin/run.sh`).nlink).toBe(1);
    expect(statSync(`${dir}/out/bin/run.sh`).mode & 0o7777).toBe(0o4755);
    writeFileSync(`${dir}/out/bin/run.sh`, 'edited');
    await ada.ok(['verify', '--all']);
  });
});
