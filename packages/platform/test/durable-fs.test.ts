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
import { afterEach, describe, expect, vi } from 'vitest';
import {
  deleteTree,
  isThere,
  isThereNow,
  removeTree,
  renameDirectory,
  replaceFile,
  syncDirectory,
  syncTree,
  unlinkIfThere,
  writeNew,
  writeOnce,
  writeOnceUnsynced,
} from '../src/durable-fs.ts';
import { errnoError } from '../src/errors.ts';
import { watchFsyncs } from './fixtures/watch-fsyncs.ts';

/** How the filesystem answers to link(2), where a test says so. */
let linkAnswers: ((from: string, to: string) => Promise<void>) | undefined;

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  return { ...real, link: async (from: string, to: string) => (linkAnswers ?? real.link)(from, to) };
});
afterEach(() => {
  linkAnswers = undefined;
  vi.restoreAllMocks();
});

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

  test('counts as made when it was, though the server said otherwise', async ({ dir, temp }) => {
    // The first transmission of a LINK made the name, its answer was lost, the second met EEXIST.
    linkAnswers = async (from, to) => {
      linkSync(from, to);
      throw errnoError('EEXIST', 'link');
    };

    await writeOnce(`${dir}/file`, 'text', temp);

    expect(readFileSync(`${dir}/file`, 'utf8')).toBe('text');
    expect(readdirSync(temp)).toEqual([]);
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
  test('a tree of anything, where one call does it', async ({ dir }) => {
    writeTree(dir);

    const synced = await watchFsyncs();
    await syncTree(`${dir}/tree`);

    expect(synced).toEqual([]);
  });

  test('a tree of anything, where each file and folder must be told of, children first', async ({ dir }) => {
    writeTree(dir);

    const synced = await watchFsyncs();
    await syncTree(`${dir}/tree`, undefined, async () => ({ honoursSyncfs: false }));

    const expected = ['/file', '/sub', '/sub/deep', '/sub/deep/file', '/\xff', ''].map((path) => `${dir}/tree${path}`);
    expect(synced.toSorted()).toEqual(expected.toSorted());
    for (const path of synced) {
      const children = synced.filter((other) => other.startsWith(`${path}/`));
      expect(synced.indexOf(path)).toBeGreaterThanOrEqual(
        Math.max(...children.map((child) => synced.indexOf(child)), 0),
      );
    }
  });

  test('a tree ends between two files when aborted', async ({ dir }) => {
    writeTree(dir);
    const tree = syncTree(`${dir}/tree`, AbortSignal.abort(), async () => ({ honoursSyncfs: false }));

    await expect(tree).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('a folder', async ({ dir }) => {
    const synced = await watchFsyncs();
    await syncDirectory(dir);

    expect(synced).toEqual([dir]);
  });

  test('what is no folder fails', async ({ dir }) => {
    writeFileSync(`${dir}/file`, '');

    await expect(syncDirectory(`${dir}/file`)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(syncDirectory(`${dir}/missing`)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

function writeTree(dir: string): void {
  mkdirSync(`${dir}/tree/sub/deep`, { recursive: true });
  writeFileSync(`${dir}/tree/file`, 'x');
  writeFileSync(`${dir}/tree/sub/deep/file`, 'x');
  writeFileSync(Buffer.from(`${dir}/tree/\xff`, 'latin1'), 'x');
  symlinkSync('nowhere', `${dir}/tree/link`);
  execFileSync('mkfifo', [`${dir}/tree/pipe`]);
}

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

  test.runIf(isRoot)('leaves the mode of a file alone that has a name outside too', ({ dir, temp }) => {
    mkdirSync(`${dir}/tree/closed`, { recursive: true });
    writeFileSync(`${dir}/outside`, 'shared');
    linkSync(`${dir}/outside`, `${dir}/tree/closed/inside`);
    chmodSync(`${dir}/outside`, 0o444);
    chmodSync(`${dir}/tree/closed`, 0o555);
    giveAway(dir, temp);

    removeAsNobody(`${dir}/tree`, temp);

    expect(existsSync(`${dir}/tree`)).toBe(false);
    expect(readdirSync(temp)).toEqual([]);
    expect(statSync(`${dir}/outside`).mode & 0o7777).toBe(0o444);
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

describe('renaming a directory', () => {
  test('keeps its mode, closed ones\u2019 too', async ({ dir }) => {
    mkdirSync(`${dir}/from/sub`, { recursive: true });
    chmodSync(`${dir}/from`, 0o555);

    await renameDirectory(`${dir}/from`, `${dir}/to`);

    expect(statSync(`${dir}/to`).mode & 0o7777).toBe(0o555);
    expect(readdirSync(`${dir}/to`)).toEqual(['sub']);
  });

  test('that fails leaves its mode as it was', async ({ dir }) => {
    mkdirSync(`${dir}/from`);
    mkdirSync(`${dir}/taken/inside`, { recursive: true });
    chmodSync(`${dir}/from`, 0o555);

    await expect(renameDirectory(`${dir}/from`, `${dir}/taken`)).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    expect(statSync(`${dir}/from`).mode & 0o7777).toBe(0o555);
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
  test.for([
    ['from memory', isThere],
    ['now', isThereNow],
  ] as const)('what is there, asked %s, may be a link that leads nowhere', async ([, isThere], { dir }) => {
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
