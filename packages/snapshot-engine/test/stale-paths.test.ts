import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { openTreePool, scanTree, type TreePool } from '@jvs/platform/tree';
import { cloneAndRead, copyEngine, stalePaths } from '@jvs/snapshot-engine';
import { test } from '@jvs/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';

let pool: TreePool;
let source: string;
beforeAll(() => {
  pool = openTreePool({ threads: 1 });
});
afterAll(async () => {
  await pool.close();
});

/** Clones while the source is another one for a moment. */
async function staleAfter(
  target: string,
  change: () => void,
  takeBack: () => void,
  only?: readonly string[],
): Promise<readonly string[]> {
  const before = await scanTree(pool, source);
  change();
  const cloned = await cloneAndRead(copyEngine, pool, source, target, { scan: before, only });
  takeBack();
  return stalePaths(cloned, before, await scanTree(pool, source));
}

describe('between two scans that are equal, the clone may have met', () => {
  beforeEach<{ dir: string }>(({ dir }) => {
    source = `${dir}/source`;
    mkdirSync(`${source}/d/inner`, { recursive: true });
    writeFileSync(`${source}/d/inner/f`, 'ours');
    mkdirSync(`${dir}/other/inner`, { recursive: true });
    writeFileSync(`${dir}/other/inner/f`, 'theirs');
  });

  test('nothing else', async ({ dir }) => {
    const stale = await staleAfter(
      `${dir}/target`,
      () => {},
      () => {},
    );

    expect(stale).toEqual([]);
  });

  test('a file that was there for a moment only', async ({ dir }) => {
    const stale = await staleAfter(
      `${dir}/target`,
      () => writeFileSync(`${source}/d/f.tmp`, 'half'),
      () => rmSync(`${source}/d/f.tmp`),
    );

    expect(stale).toEqual(['d/f.tmp']);
  });

  test('nothing where something had moved away', async ({ dir }) => {
    const stale = await staleAfter(
      `${dir}/target`,
      () => renameSync(`${source}/d/inner`, `${dir}/away`),
      () => renameSync(`${dir}/away`, `${source}/d/inner`),
    );

    expect(stale).toEqual(['d/inner']);
  });

  test('a symlink in the place of a directory', async ({ dir }) => {
    const stale = await staleAfter(
      `${dir}/target`,
      () => {
        renameSync(`${source}/d`, `${dir}/away`);
        symlinkSync('../other', `${source}/d`);
      },
      () => {
        rmSync(`${source}/d`);
        renameSync(`${dir}/away`, `${source}/d`);
      },
    );

    expect(stale).toEqual(['d']);
  });

  test('an unread file of the same size and mode, in a directory that changed in other ways too', async ({ dir }) => {
    writeFileSync(`${dir}/other/inner/f`, 'ours');
    utimesSync(`${dir}/other/inner/f`, 1, 1);

    const stale = await staleAfter(
      `${dir}/target`,
      () => {
        renameSync(`${source}/d`, `${dir}/away`);
        renameSync(`${dir}/other`, `${source}/d`);
      },
      () => {
        renameSync(`${source}/d`, `${dir}/other`);
        renameSync(`${dir}/away`, `${source}/d`);
        writeFileSync(`${source}/d/new`, '');
      },
      [],
    );

    expect(stale).toEqual(['d/inner/f', 'd/new']);
  });

  test('another directory with the same names', async ({ dir }) => {
    const stale = await staleAfter(
      `${dir}/target`,
      () => {
        renameSync(`${source}/d`, `${dir}/away`);
        renameSync(`${dir}/other`, `${source}/d`);
      },
      () => {
        renameSync(`${source}/d`, `${dir}/other`);
        renameSync(`${dir}/away`, `${source}/d`);
      },
    );

    expect(stale).toEqual(['d']);
  });

  test('other sizes and modes in a directory that was then put back and written to', async ({ dir }) => {
    chmodSync(`${dir}/other/inner`, 0o700);
    const stale = await staleAfter(
      `${dir}/target`,
      () => {
        renameSync(`${source}/d`, `${dir}/away`);
        renameSync(`${dir}/other`, `${source}/d`);
      },
      () => {
        renameSync(`${source}/d`, `${dir}/other`);
        renameSync(`${dir}/away`, `${source}/d`);
        writeFileSync(`${source}/d/inner/passing`, '');
        rmSync(`${source}/d/inner/passing`);
        writeFileSync(`${source}/d/passing`, '');
        rmSync(`${source}/d/passing`);
      },
    );

    expect(stale).toEqual(['d/inner']);
  });

  test('a directory that is written to, which makes nothing else stale', async ({ dir }) => {
    const stale = await staleAfter(
      `${dir}/target`,
      () => {},
      () => {
        writeFileSync(`${source}/d/inner/new`, '');
        utimesSync(`${source}/d/inner`, 1, 1);
      },
    );

    expect(stale).toEqual(['d/inner/new']);
  });
});
