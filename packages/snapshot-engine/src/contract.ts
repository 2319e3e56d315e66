import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { diffScans, openTreePool, scanTree, type TreePool, type TreeScan } from '@jvs/platform/tree';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { at, attributesOf, listTree, makeTree } from './contract-tree.ts';
import type { ClonedPart, SnapshotEngine } from './snapshot-engine.ts';

/**
 * What every engine keeps. `makeDir` returns a fresh directory on a filesystem on which the engine works; the suite
 * removes it. Needs `setfattr` and `getfattr` (package attr), and root for owners and devices.
 */
export function describeEngine(engine: SnapshotEngine, makeDir: () => string): void {
  describe(`engine ${engine.name}`, () => {
    let pool: TreePool;
    let dir: string;
    let source: string;
    let target: string;

    beforeAll(() => {
      pool = openTreePool({ threads: 2 });
    });
    afterAll(async () => {
      await pool.close();
    });
    beforeEach(() => {
      dir = makeDir();
      source = `${dir}/source`;
      target = `${dir}/target`;
      mkdirSync(source);
    });
    afterEach(() => {
      rmSync(dir, { recursive: true, force: true });
    });

    async function cloneAll(): Promise<{ scan: TreeScan; parts: ClonedPart[]; lost: readonly string[] }> {
      const scan = await scanTree(pool, source);
      const parts: ClonedPart[] = [];
      const lost = await engine.clone(source, target, { scan, onCloned: (part) => parts.push(part) });
      return { scan, parts, lost };
    }

    async function recloneAll(before: TreeScan): Promise<readonly string[]> {
      const scan = await scanTree(pool, source);
      return await engine.reclone(source, target, diffScans(before, scan), { scan });
    }

    test('works here, says so, and leaves nothing of the probe', async () => {
      const works = await engine.probe(dir);

      expect(works).toBe(true);
      expect(readdirSync(dir)).toEqual(['source']);
    });

    test('answers false to a probe of a directory that does not exist', async () => {
      expect(await engine.probe(`${dir}/nowhere`)).toBe(false);
    });

    test('keeps names, bytes, modes, owners, times, symlinks and empty directories', async () => {
      makeTree(source);

      const { lost } = await cloneAll();

      expect(lost).toEqual([]);
      expect(listTree(target)).toEqual(listTree(source));
      const [from, to] = [lstatSync(source, { bigint: true }), lstatSync(target, { bigint: true })];
      expect([to.mode, to.mtimeNs]).toEqual([from.mode, from.mtimeNs]);
    });

    test('keeps extended attributes and ACLs of files, directories and the root', async () => {
      makeTree(source);

      await cloneAll();

      for (const path of ['large', 'names', '.']) {
        expect(attributesOf(`${source}/${path}`)).toMatch(/posix_acl_access=.*user\.colour=/s);
        expect(attributesOf(`${target}/${path}`)).toBe(attributesOf(`${source}/${path}`));
      }
    });

    test('keeps holes', async () => {
      makeTree(source);

      await cloneAll();

      expect(lstatSync(`${target}/sparse`).blocks).toBeLessThan(1024);
    });

    test('leaves out what the scan was told to skip', async () => {
      writeFileSync(`${source}/.READY`, 'x');
      writeFileSync(`${source}/kept`, 'x');

      await engine.clone(source, target, { scan: await scanTree(pool, source, { skip: ['.READY'] }) });

      expect(readdirSync(target)).toEqual(['kept']);
    });

    test('clones an empty tree', async () => {
      const { lost } = await cloneAll();

      expect(lost).toEqual([]);
      expect(readdirSync(target)).toEqual([]);
    });

    test('makes files of its own: an edit of the copy leaves the source alone, and the other way round', async () => {
      writeFileSync(`${source}/a`, 'before');
      writeFileSync(`${source}/b`, 'before');

      await cloneAll();
      writeFileSync(`${source}/a`, 'after');
      writeFileSync(`${target}/b`, 'after');

      expect(readFileSync(`${target}/a`, 'utf8')).toBe('before');
      expect(readFileSync(`${source}/b`, 'utf8')).toBe('before');
    });

    test('splits hard links and says so', async () => {
      writeFileSync(`${source}/a`, 'same');
      linkSync(`${source}/a`, `${source}/b`);

      const { lost } = await cloneAll();

      expect(lost).toEqual(['hardlink']);
      expect(lstatSync(`${target}/a`).ino).not.toBe(lstatSync(`${target}/b`).ino);
      expect(readFileSync(`${target}/b`, 'utf8')).toBe('same');
    });

    test('leaves out FIFOs, sockets and devices without opening them, and says so', async () => {
      mkdirSync(`${source}/deep/down`, { recursive: true });
      writeFileSync(`${source}/deep/down/file`, 'kept');
      execFileSync('mkfifo', [`${source}/deep/down/fifo`, `${source}/fifo`]);
      execFileSync('mknod', [`${source}/null`, 'c', '1', '3']);
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(`${source}/deep/socket`, resolve));
      chmodSync(`${source}/deep`, 0o555);

      const { lost } = await cloneAll();
      server.close();

      expect(lost).toEqual(['special']);
      expect(listTree(target).map((line) => line.split(' ', 2).join(' '))).toEqual([
        '"deep" 40555',
        '"deep/down" 40755',
        '"deep/down/file" 100644',
      ]);
    });

    test('refuses a target that exists', async () => {
      mkdirSync(target);

      await expect(cloneAll()).rejects.toMatchObject({ code: 'EEXIST' });
    });

    test('clones 300 levels, and 20,000 files in one directory in several parts, announcing each entry once', async () => {
      const bottom = `${source}/${'d/'.repeat(300)}`;
      mkdirSync(bottom, { recursive: true });
      writeFileSync(`${bottom}/end`, 'deep');
      mkdirSync(`${source}/top/wide`, { recursive: true });
      for (let n = 0; n < 20_000; n += 1) writeFileSync(`${source}/top/wide/${n}`, '');

      const { parts } = await cloneAll();

      expect(readFileSync(`${target}/${'d/'.repeat(300)}/end`, 'utf8')).toBe('deep');
      expect(readdirSync(`${target}/top/wide`)).toHaveLength(20_000);
      const announced = parts.flatMap(({ paths }) => paths);
      expect(new Set(announced).size).toBe(announced.length);
      expect(announced.filter((path) => path.startsWith('top/wide/'))).toHaveLength(20_000);
      expect(parts.length).toBeGreaterThan(4);
    });

    test('takes what vanished or changed its type since the scan as the next scan will find it', async () => {
      for (const name of ['stays', 'goes', 'turns']) writeFileSync(`${source}/${name}`, name);
      mkdirSync(`${source}/dir/inner`, { recursive: true });
      const before = await scanTree(pool, source);
      rmSync(`${source}/goes`);
      rmSync(`${source}/dir`, { recursive: true });
      rmSync(`${source}/turns`);
      mkdirSync(`${source}/turns`);
      writeFileSync(`${source}/turns/inside`, 'new');

      const lost = [...(await engine.clone(source, target, { scan: before })), ...(await recloneAll(before))];

      expect(lost).toEqual([]);
      expect(listTree(target)).toEqual(listTree(source));
    });

    test('brings changed paths up to date and touches nothing else', async () => {
      makeTree(source);
      mkdirSync(`${source}/gone/inner`, { recursive: true });
      const { scan } = await cloneAll();
      const untouched = lstatSync(`${target}/names`).ino;
      writeFileSync(`${source}/modes/dir-555/inside`, 'changed');
      writeFileSync(at(source, 'names/\xff\xfe'), 'changed');
      writeFileSync(at(source, 'names/new \xfe'), 'new');
      rmSync(`${source}/gone`, { recursive: true });
      chmodSync(`${source}/empty-dir`, 0o711);
      chmodSync(source, 0o750);

      await recloneAll(scan);

      expect(listTree(target)).toEqual(listTree(source));
      expect(lstatSync(target).mode).toBe(lstatSync(source).mode);
      expect(lstatSync(`${target}/names`).ino).toBe(untouched);
    });

    test('once aborted has nothing running any more', async () => {
      for (let n = 0; n < 20; n += 1) mkdirSync(`${source}/${n}`);
      for (let n = 0; n < 7000; n += 1) writeFileSync(`${source}/${n % 20}/${n}`, 'x');
      const scan = await scanTree(pool, source);
      const stop = new AbortController();
      const reason = new Error('enough');

      const clone = engine.clone(source, target, { scan, signal: stop.signal, onCloned: () => stop.abort(reason) });

      await expect(clone).rejects.toBe(reason);
      expect(readdirSync(target).length).toBeLessThanOrEqual(20);
      expect(commandLinesWith(target)).toEqual([]);
    });
  });
}

function commandLinesWith(word: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(commandLine)
    .filter((line) => line.includes(word));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
