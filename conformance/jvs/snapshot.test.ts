import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

import { stateRecords, test, writePayload, type Descriptor, type RepositoryFiles } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { sha256 } from './canonical.ts';

const treeOf = (repo: RepositoryFiles, id: string) => `${repo.control}/snapshots/${id}`;
const manifestOf = (repo: RepositoryFiles, id: string) => readFileSync(`${repo.control}/manifests/${id}.manifest`);

describe('a snapshot', () => {
  test('with a valid lock succeeds and moves the head', async ({ saved, ada }) => {
    writeFileSync(`${saved.main}/second.txt`, 'second\n');

    const made = await ada.json<Descriptor>(['snapshot', 'second']);

    expect(made).toMatchObject({
      parent_snapshot_id: saved.id,
      worktree_name: 'main',
      consistency_level: 'quiesced',
      payload_stats: { files: 2, dirs: 0, symlinks: 0, bytes: 13 },
    });
    expect(stateRecords(saved).at(-1)).toMatchObject({ kind: 'head', seq: 4, head_snapshot_id: made.snapshot_id });
  });

  test('of the same payload twice has the same payload_root_hash', async ({ repo, ada }) => {
    writePayload(repo.main, 'M3');
    await ada.ok(['lock', 'acquire']);

    const first = await ada.json<Descriptor>(['snapshot']);
    const second = await ada.json<Descriptor>(['snapshot']);

    expect(second.payload_root_hash).toEqual(first.payload_root_hash);
    expect(second.snapshot_id).not.toBe(first.snapshot_id);
  });

  test('keeps modes, links, times and empty directories', async ({ repo, ada }) => {
    writePayload(repo.main, 'M2');
    symlinkSync('/etc/../nowhere', `${repo.main}/dangling`);
    symlinkSync('../../outside', `${repo.main}/escaping`);
    utimesSync(`${repo.main}/a.txt`, 1_234_567_890.123456, 1_234_567_890.123456);
    utimesSync(`${repo.main}/bin`, 1_000_000_000, 1_000_000_000);
    await ada.ok(['lock', 'acquire']);

    const { snapshot_id } = await ada.json<Descriptor>(['snapshot']);

    const copy = treeOf(repo, snapshot_id);
    for (const path of ['a', 'a/z', 'a-b', 'a.txt', 'bin', 'bin/run.sh', 'empty']) {
      expect([path, lstatSync(`${copy}/${path}`).mode]).toEqual([path, lstatSync(`${repo.main}/${path}`).mode]);
    }
    expect(readlinkSync(`${copy}/link`)).toBe('bin/run.sh');
    expect(readlinkSync(`${copy}/dangling`)).toBe('/etc/../nowhere');
    expect(readlinkSync(`${copy}/escaping`)).toBe('../../outside');
    expect(Math.abs(lstatSync(`${copy}/a.txt`).mtimeMs - 1_234_567_890_123.456)).toBeLessThan(0.01);
    expect(lstatSync(`${copy}/bin`).mtimeMs).toBe(1_000_000_000_000);
    expect(readdirSync(`${copy}/empty`)).toEqual([]);
  });

  test('has the manifest that find and sha256sum give', async ({ repo, ada }) => {
    writePayload(repo.main, 'M2');
    for (let n = 0; n < 60; n++) {
      mkdirSync(`${repo.main}/wide/${n % 7}/${n}`, { recursive: true });
      writeFileSync(`${repo.main}/wide/${n % 7}/${n}/file`, 'x'.repeat(n * 97));
    }
    writeFileSync(`${repo.main}/big`, Buffer.alloc(3_000_001, 'big'));
    await ada.ok(['lock', 'acquire']);

    const { snapshot_id, payload_root_hash } = await ada.json<Descriptor>(['snapshot']);

    const expected = manifestByFind(repo.main);
    expect(manifestOf(repo, snapshot_id).toString('latin1')).toBe(expected);
    expect(payload_root_hash.value).toBe(sha256(Buffer.from(expected, 'latin1')));
  });

  test('is independent of later edits, and of hard links', async ({ saved, ada }) => {
    writeFileSync(`${saved.main}/hello.txt`, 'changed\n');
    linkSync(`${saved.main}/hello.txt`, `${saved.main}/other-name`);

    expect(readFileSync(`${treeOf(saved, saved.id)}/hello.txt`, 'utf8')).toBe('hello\n');
    const made = await ada.json<Descriptor>(['snapshot']);
    expect(made.degradations).toContain('hardlink');
    writeFileSync(`${saved.main}/hello.txt`, 'changed again\n');
    expect(readFileSync(`${treeOf(saved, made.snapshot_id)}/other-name`, 'utf8')).toBe('changed\n');
    await ada.ok(['verify', '--all']);
  });

  test('follows removal, rename and change of type', async ({ saved, ada }) => {
    mkdirSync(`${saved.main}/was-dir/in`, { recursive: true });
    writeFileSync(`${saved.main}/was-file`, 'x');
    await ada.ok(['snapshot']);
    rmSync(`${saved.main}/was-dir`, { recursive: true });
    writeFileSync(`${saved.main}/was-dir`, 'now a file');
    unlinkSync(`${saved.main}/was-file`);
    mkdirSync(`${saved.main}/was-file`);
    renameSync(`${saved.main}/hello.txt`, `${saved.main}/hallo.txt`);

    const made = await ada.json<Descriptor>(['snapshot']);

    expect(readdirSync(treeOf(saved, made.snapshot_id)).toSorted()).toEqual(
      ['.READY', 'hallo.txt', 'was-dir', 'was-file'].toSorted(),
    );
    await ada.ok(['verify', made.snapshot_id]);
  });

  test('takes tags', async ({ saved, ada }) => {
    const made = await ada.json<Descriptor>(['snapshot', '--tag', 'v2', '--tag', 'nightly']);

    expect(made.tags.toSorted()).toEqual(['nightly', 'v2']);
    expect(made.parent_snapshot_id).toBe(saved.id);
  });

  test('--lock takes the lock for this command only', async ({ repo, ada }) => {
    await ada.ok(['snapshot', '--lock']);

    expect(stateRecords(repo).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'head', 'release']);
    expect(stateRecords(repo).at(-1)?.lock).toBe(null);
  });

  test('of read-only directories and unreadable files works for root', async ({ repo, ada }) => {
    mkdirSync(`${repo.main}/locked/deeper`, { recursive: true });
    writeFileSync(`${repo.main}/locked/deeper/secret`, 'secret', { mode: 0 });
    chmodSync(`${repo.main}/locked/deeper`, 0o500);
    chmodSync(`${repo.main}/locked`, 0o555);
    await ada.ok(['lock', 'acquire']);

    const { snapshot_id } = await ada.json<Descriptor>(['snapshot']);

    expect(manifestOf(repo, snapshot_id).toString()).toMatch(
      /^dir 0555 - - locked\ndir 0500 - - locked\/deeper\nfile 0000 6 [0-9a-f]{64} locked\/deeper\/secret\n$/,
    );
    await ada.ok(['restore', snapshot_id, '--name', 'again']);
  });
});

describe('files that change during a snapshot', () => {
  test('quiesced: E_CONSISTENCY_UNAVAILABLE names them, hints at best_effort, leaves nothing', async ({
    saved,
    ada,
  }) => {
    const stop = keepWriting(`${saved.main}/busy`);
    try {
      const error = await ada.fails(['snapshot'], 'E_CONSISTENCY_UNAVAILABLE');

      expect(JSON.stringify([error.message, error.details])).toContain('busy');
      expect(error.hint).toContain('best_effort');
    } finally {
      stop();
    }
    expect(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
    expect(readdirSync(`${saved.control}/intents`)).toEqual([]);
    await ada.ok(['snapshot', 'once it is quiet']);
  });

  test('best_effort: the snapshot is taken, verifies, and carries its label in history', async ({ saved, ada }) => {
    const stop = keepWriting(`${saved.main}/busy`);
    try {
      const made = await ada.json<Descriptor>(['snapshot', '--consistency', 'best_effort']);

      expect(made).toMatchObject({ consistency_level: 'best_effort', parent_snapshot_id: saved.id });
    } finally {
      stop();
    }
    const [newest] = await ada.json<{ risk_labels: string[] }[]>(['history']);
    expect(newest?.risk_labels).toEqual(['best_effort']);
    expect(await ada.ok(['history'])).toContain('[best_effort]');
    await ada.ok(['verify', '--all']);
  });

  test('a file that came to rest is cloned again', async ({ saved, ada }) => {
    const running = ada.start(['snapshot', '--json'], { env: { JVS_FAILPOINT: 'publish:intent=stop' } });
    await running.stopped();
    writeFileSync(`${saved.main}/hello.txt`, 'edited while the snapshot was taken\n');
    running.resume();

    const result = await running.result;

    expect(result.exitCode).toBe(0);
    const { snapshot_id } = JSON.parse(result.stdout) as Descriptor;
    expect(readFileSync(`${treeOf(saved, snapshot_id)}/hello.txt`, 'utf8')).toContain('edited');
    await ada.ok(['verify', snapshot_id]);
  });
});

describe('engines', () => {
  test('the chosen one is in the descriptor; JVS_SNAPSHOT_ENGINE and --engine override', async ({ saved, ada }) => {
    const byVariable = await ada.with({ JVS_SNAPSHOT_ENGINE: 'copy' }).json<Descriptor>(['snapshot']);
    const byFlag = await ada.json<Descriptor>(['snapshot', '--engine', 'copy']);

    expect(byVariable.engine).toBe('copy');
    expect(byFlag).toMatchObject({ engine: 'copy', parent_snapshot_id: byVariable.snapshot_id });
    expect(saved.id).not.toBe(byVariable.snapshot_id);
  });

  test('one that does not work here is E_ENGINE_UNAVAILABLE', async ({ saved, ada }) => {
    for (const engine of ['juicefs-clone', 'btrfs-snapshot', 'warp-drive']) {
      await ada.with({ JVS_SNAPSHOT_ENGINE: engine }).fails(['snapshot'], 'E_ENGINE_UNAVAILABLE');
    }
    expect(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
    expect(readdirSync(`${saved.control}/intents`)).toEqual([]);
  });

  test('a sparse file keeps its bytes; lost holes are a label', async ({ repo, ada }) => {
    writeFileSync(`${repo.main}/sparse`, 'begin');
    truncateSync(`${repo.main}/sparse`, 2_000_000);
    await ada.ok(['lock', 'acquire']);

    const made = await ada.with({ JVS_SNAPSHOT_ENGINE: 'copy' }).json<Descriptor>(['snapshot']);

    const copy = lstatSync(`${treeOf(repo, made.snapshot_id)}/sparse`);
    expect(copy.size).toBe(2_000_000);
    expect(copy.blocks * 512 < 1_000_000 || made.degradations.includes('sparse')).toBe(true);
  });
});

/** Makes a file that takes a while to copy, and changes it without pause until told to stop. */
function keepWriting(path: string): () => void {
  writeFileSync(path, Buffer.alloc(24 << 20));
  const file = openSync(path, 'r+');
  let n = 0;
  const timer = setInterval(() => writeSync(file, `version ${n++}`, 0), 1);
  return () => {
    clearInterval(timer);
    closeSync(file);
  };
}

/** The manifest of a tree of plain names by other programs: find(1), sha256sum(1), sort(1). */
function manifestByFind(root: string): string {
  const shell = (program: string, args: string[], input?: string) =>
    execFileSync(program, args, { cwd: root, encoding: 'latin1', env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' }, input });
  const hashes = new Map<string, string>();
  for (const line of shell('find', ['.', '-type', 'f', '-exec', 'sha256sum', '{}', '+']).split('\n')) {
    hashes.set(line.slice(68), line.slice(0, 64));
  }
  const listed = shell('find', ['.', '-mindepth', '1', '-printf', '%P\\t%y\\t%m\\t%s\\t%l\\n']);
  return shell('sort', ['-t', '\t', '-k1,1'], listed)
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [path = '', type, mode = '', size, target = ''] = line.split('\t');
      if (type === 'l') return `symlink - - ${sha256(Buffer.from(target, 'latin1'))} ${path}\n`;
      if (type === 'd') return `dir ${mode.padStart(4, '0')} - - ${path}\n`;
      return `file ${mode.padStart(4, '0')} ${size} ${hashes.get(path)} ${path}\n`;
    })
    .join('');
}
