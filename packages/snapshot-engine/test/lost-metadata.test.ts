import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openTreePool, scanTree, type TreePool } from '@jvs/platform/tree';
import { copyEngine, reflinkEngine } from '@jvs/snapshot-engine';
import {
  canMount,
  mountFilesystem,
  mountView,
  type FilesystemType,
  type MountedFilesystem,
  type MountOptions,
} from '@jvs/services';
import { test } from '@jvs/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished } from 'vitest';
import { attributesOf, makeTree } from '../src/contract-tree.ts';

describe.runIf(canMount('xfs'))('what a filesystem cannot keep', () => {
  let pool: TreePool;
  let xfs: MountedFilesystem;
  let source: string;
  let serial = 0;
  beforeAll(async () => {
    pool = openTreePool();
    xfs = await mountFilesystem('xfs');
  });
  afterAll(async () => {
    await xfs.unmount();
    await pool.close();
  });
  beforeEach(() => {
    source = `${xfs.dir}/source-${(serial += 1)}`;
    mkdirSync(source);
  });

  test('extended attributes that do not fit are a label; the others, modes and times stay', async () => {
    const ext4 = await mounted('ext4', { sizeMiB: 256 });
    mkdirSync(`${source}/sub`, { mode: 0o751 });
    for (const path of ['file', 'sub/file']) writeFileSync(`${source}/${path}`, 'x', { mode: 0o640 });
    for (const path of ['sub', 'sub/file']) {
      execFileSync('setfattr', ['-n', 'user.small', '-v', 'kept', `${source}/${path}`]);
      execFileSync('setfattr', ['-n', 'user.huge', '-v', 'x'.repeat(60_000), `${source}/${path}`]);
    }

    const target = `${ext4.dir}/target`;
    const lost = await copyEngine.clone(source, target, { scan: await scanTree(pool, source) });
    const kept = attributesOf(`${target}/sub/file`);
    const modes = ['sub', 'sub/file', 'file'].map((path) => lstatSync(`${target}/${path}`).mode & 0o7777);
    const times = ['sub', 'sub/file'].map((path) => lstatSync(`${target}/${path}`, { bigint: true }).mtimeNs);

    expect(lost).toEqual(['xattr']);
    expect(kept).toMatch(/^user\.small=0x[0-9a-f]+$/);
    expect(modes).toEqual([0o751, 0o640, 0o640]);
    expect(times).toEqual(['sub', 'sub/file'].map((path) => lstatSync(`${source}/${path}`, { bigint: true }).mtimeNs));
  });

  test('attributes and ACLs where the filesystem knows none are labels; modes stay', async () => {
    const ramfs = await mounted('ramfs');
    makeTree(source);

    const target = `${ramfs.dir}/target`;
    const lost = await copyEngine.clone(source, target, { scan: await scanTree(pool, source) });
    const modes = ['large', 'names', 'modes/file-4755', 'modes/dir-1777', '.'].map((path) => [
      path,
      lstatSync(`${target}/${path}`).mode,
    ]);

    expect(lost).toEqual(['acl', 'xattr']);
    expect(modes).toEqual(modes.map(([path]) => [path, lstatSync(`${source}/${path}`).mode]));
  });

  test('a full disk ends it with ENOSPC and the path', async () => {
    const small = await mounted('tmpfs', { sizeMiB: 1 });
    writeFileSync(`${source}/large`, new Uint8Array(4 * 1024 * 1024).fill(1));

    const clone = copyEngine.clone(source, `${small.dir}/target`, { scan: await scanTree(pool, source) });

    await expect(clone).rejects.toMatchObject({ code: 'ENOSPC', path: expect.stringContaining('large') });
  });

  test('a reflink clone to another filesystem copies', async ({ dir }) => {
    writeFileSync(`${source}/file`, 'copied');

    const lost = await reflinkEngine.clone(source, `${dir}/target`, { scan: await scanTree(pool, source) });

    expect(readFileSync(`${dir}/target/file`, 'utf8')).toBe('copied');
    expect(lost).toEqual(['fallback']);
  });

  test('without privilege, owners are a label and unreadable files an error', async ({ dir }) => {
    chmodSync(dir, 0o777);
    mkdirSync(`${dir}/source`);
    writeFileSync(`${dir}/source/foreign`, 'x');
    writeFileSync(`${dir}/source/own`, 'x');
    chownSync(`${dir}/source/own`, 1234, 1234);

    const workspace = await mountView(fileURLToPath(new URL('../../..', import.meta.url)));
    onTestFinished(workspace.unmount);
    const packages = `${workspace.dir}/packages`;

    expect(cloneAs(1234, packages, `${dir}/source`, `${dir}/first`)).toBe('owner');
    chmodSync(`${dir}/source/foreign`, 0o600);
    expect(cloneAs(1234, packages, `${dir}/source`, `${dir}/second`)).toBe('EACCES');
  });
});

/** Mounted until the test is over. */
async function mounted(type: FilesystemType, options?: MountOptions): Promise<MountedFilesystem> {
  const filesystem = await mountFilesystem(type, options);
  onTestFinished(filesystem.unmount);
  return filesystem;
}

/** Runs the built engine as another user, to whom `packages` is this workspace's: its labels, or the code of its failure. */
function cloneAs(uid: number, packages: string, from: string, to: string): string {
  const program = `
    import { openTreePool, scanTree } from '${packages}/platform/dist/tree/index.js';
    import { copyEngine } from '${packages}/snapshot-engine/dist/index.js';
    const [source, target] = ${JSON.stringify([from, to])};
    const pool = openTreePool();
    try {
      console.log(String(await copyEngine.clone(source, target, { scan: await scanTree(pool, source) })));
    } catch (error) {
      console.log(error.code);
    }
    await pool.close();`;
  const user = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  const args = [...user, process.execPath, '--input-type=module', '--eval', program];
  return execFileSync('setpriv', args, { encoding: 'utf8', cwd: '/' }).trim();
}
