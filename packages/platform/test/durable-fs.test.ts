import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { test as base } from '@jvs/testkit';
import { describe, expect } from 'vitest';
import {
  deleteTree,
  isThere,
  removeTree,
  replaceFile,
  syncDirectory,
  syncTree,
  unlinkIfThere,
  writeNew,
  writeOnce,
  writeOnceUnsynced,
} from '../src/durable-fs.ts';

const REMOVE_TREE = fileURLToPath(new URL('fixtures/remove-tree.js', import.meta.url));
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

const test = base.extend<{ temp: string }>({
  temp: async ({ dir }, use) => {
    mkdirSync(`${dir}/tmp`);
    await use(`${dir}/tmp`);
  },
});

describe('writeOnce', () => {
  test('makes the whole file and leaves no other', async ({ dir, temp }) => {
    await writeOnce(`${dir}/file`, 'text', temp);
    await writeOnceUnsynced(`${dir}/bytes`, Uint8Array.of(0, 255), temp);

    expect(readFileSync(`${dir}/file`, 'utf8')).toBe('text');
    expect([...readFileSync(`${dir}/bytes`)]).toEqual([0, 255]);
    expect(statSync(`${dir}/file`).nlink).toBe(1);
    expect(readdirSync(temp)).toEqual([]);
  });

  test('never overwrites', async ({ dir, temp }) => {
    writeFileSync(`${dir}/file`, 'first');
    symlinkSync('nowhere', `${dir}/dangling`);

    await expect(writeOnce(`${dir}/file`, 'second', temp)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(writeOnce(`${dir}/dangling`, 'second', temp)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(`${dir}/file`, 'utf8')).toBe('first');
    expect(existsSync(`${dir}/nowhere`)).toBe(false);
    expect(readdirSync(temp)).toEqual([]);
  });

  test('has one winner among many', async ({ dir, temp }) => {
    const writers = Array.from({ length: 8 }, (_, who) => writeOnce(`${dir}/file`, String(who), temp));

    const results = await Promise.allSettled(writers);

    const winners = results.flatMap(({ status }, who) => (status === 'fulfilled' ? [String(who)] : []));
    expect(winners).toEqual([readFileSync(`${dir}/file`, 'utf8')]);
  });

  test('fails without a trace when its folder is missing', async ({ dir, temp }) => {
    await expect(writeOnce(`${dir}/missing/file`, 'text', temp)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(readdirSync(temp)).toEqual([]);
  });
});

describe('replaceFile', () => {
  test('puts the new bytes in place of the old ones, as a new file', async ({ dir, temp }) => {
    writeFileSync(`${dir}/file`, 'old');
    linkSync(`${dir}/file`, `${dir}/other-name`);

    await replaceFile(`${dir}/file`, 'new', temp, 0o600);

    expect(readFileSync(`${dir}/file`, 'utf8')).toBe('new');
    expect(readFileSync(`${dir}/other-name`, 'utf8')).toBe('old');
    expect(statSync(`${dir}/file`).mode & 0o777).toBe(0o600);
    expect(readdirSync(temp)).toEqual([]);
  });

  test('makes a file that was not there', async ({ dir, temp }) => {
    await replaceFile(`${dir}/file`, 'new', temp);

    expect(readFileSync(`${dir}/file`, 'utf8')).toBe('new');
  });

  test('that fails leaves what was there, and nothing else', async ({ dir, temp }) => {
    mkdirSync(`${dir}/taken/inside`, { recursive: true });

    await expect(replaceFile(`${dir}/taken`, 'new', temp)).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(replaceFile(`${dir}/missing/file`, 'new', temp)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(readdirSync(`${dir}/taken`)).toEqual(['inside']);
    expect(readdirSync(temp)).toEqual([]);
  });

  test('shows readers the old bytes or the new, never less', async ({ dir, temp }) => {
    const versions = ['a'.repeat(100_000), 'b'.repeat(100_000)];
    writeFileSync(`${dir}/file`, versions[0] ?? '');
    let isWriting = true;
    const writing = (async () => {
      for (let n = 1; n <= 20; n += 1) await replaceFile(`${dir}/file`, versions[n % 2] ?? '', temp);
      isWriting = false;
    })();

    const seen = new Set<string>();
    while (isWriting) {
      seen.add(readFileSync(`${dir}/file`, 'utf8'));
      await new Promise(setImmediate);
    }
    await writing;

    expect([...seen].filter((text) => !versions.includes(text))).toEqual([]);
    expect(seen.size).toBeGreaterThan(0);
  });
});

describe('writeNew', () => {
  test('refuses a name that is taken', async ({ dir }) => {
    await writeNew(`${dir}/file`, 'first', true);

    await expect(writeNew(`${dir}/file`, 'second', false)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(`${dir}/file`, 'utf8')).toBe('first');
  });
});

describe('syncing', () => {
  test('a folder and a tree of anything', async ({ dir }) => {
    mkdirSync(`${dir}/tree/sub`, { recursive: true });
    writeFileSync(Buffer.from(`${dir}/tree/\xff`, 'latin1'), 'x');
    symlinkSync('nowhere', `${dir}/tree/link`);

    await syncDirectory(`${dir}/tree`);
    await syncTree(`${dir}/tree`);
  });

  test('what is no folder fails', async ({ dir }) => {
    writeFileSync(`${dir}/file`, '');

    await expect(syncDirectory(`${dir}/file`)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(syncDirectory(`${dir}/missing`)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

/** A tree with closed folders, names that are no text, a link to outside, and one level for each letter. */
function writeAwkwardTree(root: string, outside: string): void {
  mkdirSync(`${root}/closed/inner`, { recursive: true });
  writeFileSync(Buffer.from(`${root}/closed/inner/\xff\n`, 'latin1'), 'x');
  mkdirSync(Buffer.from(`${root}/-rf \xfe/x`, 'latin1'), { recursive: true });
  symlinkSync(outside, `${root}/link`);
  chmodSync(`${root}/closed/inner`, 0o000);
  chmodSync(`${root}/closed`, 0o555);
}

describe('removing a tree', () => {
  test('takes everything in it and nothing that it links to', async ({ dir, temp }) => {
    mkdirSync(`${dir}/outside`);
    writeFileSync(`${dir}/outside/kept`, '');
    writeAwkwardTree(`${dir}/tree`, `${dir}/outside`);

    await removeTree(`${dir}/tree`, temp);

    expect(existsSync(`${dir}/tree`)).toBe(false);
    expect(readdirSync(temp)).toEqual([]);
    expect(readdirSync(`${dir}/outside`)).toEqual(['kept']);
  });

  test('that is not there is nothing to do', async ({ dir, temp }) => {
    await removeTree(`${dir}/missing`, temp);
    await deleteTree(`${dir}/missing`);

    expect(readdirSync(temp)).toEqual([]);
  });

  test('in place', async ({ dir }) => {
    writeAwkwardTree(`${dir}/-tree`, dir);

    await deleteTree(`${dir}/-tree`);

    expect(readdirSync(dir)).toEqual([]);
  });

  test.runIf(isRoot)('works for its owner though its folders are closed to him', ({ dir, temp }) => {
    writeAwkwardTree(`${dir}/tree`, '/');
    giveAway(dir, temp);

    removeAsNobody(`${dir}/tree`, temp);

    expect(existsSync(`${dir}/tree`)).toBe(false);
    expect(readdirSync(temp)).toEqual([]);
  });

  test.runIf(isRoot)('works for its owner though its root is read-only', ({ dir, temp }) => {
    mkdirSync(`${dir}/tree/sub`, { recursive: true });
    giveAway(dir, temp);
    chmodSync(`${dir}/tree`, 0o555);

    removeAsNobody(`${dir}/tree`, temp);

    expect(existsSync(`${dir}/tree`)).toBe(false);
    expect(readdirSync(temp)).toEqual([]);
  });
});

function giveAway(dir: string, temp: string): void {
  execFileSync('chown', ['-hR', `${NOBODY}:${NOBODY}`, `${dir}/tree`]);
  chownSync(dir, NOBODY, NOBODY);
  chownSync(temp, NOBODY, NOBODY);
}

function removeAsNobody(path: string, trash: string): void {
  execFileSync(process.execPath, [REMOVE_TREE, path, trash], { uid: NOBODY, gid: NOBODY, stdio: 'pipe' });
}

describe('looking', () => {
  test('isThere sees links that lead nowhere', async ({ dir }) => {
    symlinkSync('nowhere', `${dir}/dangling`);
    writeFileSync(`${dir}/file`, '');

    expect(await isThere(`${dir}/dangling`)).toBe(true);
    expect(await isThere(`${dir}/file`)).toBe(true);
    expect(await isThere(`${dir}/missing`)).toBe(false);
    expect(await isThere(`${dir}/file/below`)).toBe(false);
  });

  test('unlinkIfThere says whether it was', async ({ dir }) => {
    writeFileSync(`${dir}/file`, '');

    expect(await unlinkIfThere(`${dir}/file`)).toBe(true);
    expect(await unlinkIfThere(`${dir}/file`)).toBe(false);
    mkdirSync(`${dir}/folder`);
    await expect(unlinkIfThere(`${dir}/folder`)).rejects.toThrow(Error);
    expect(lstatSync(`${dir}/folder`).isDirectory()).toBe(true);
  });
});
