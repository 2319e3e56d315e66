import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

import { stateRecords, test, type Descriptor, type SavedRepository } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { CAN_MOUNT, withTmpfs } from './mounts.ts';

const nothingWasMade = (saved: SavedRepository) => {
  expect(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
  expect(readdirSync(`${saved.control}/descriptors`)).toEqual([`${saved.id}.json`]);
  expect(readdirSync(`${saved.control}/manifests`)).toEqual([`${saved.id}.manifest`]);
  expect(readdirSync(`${saved.control}/intents`)).toEqual([]);
  expect(stateRecords(saved)).toHaveLength(3);
};

describe('control names at the root of a payload', () => {
  test.for(['.jvs', '.READY'])('%s as a file is refused by name', async (name, { saved, ada }) => {
    writeFileSync(`${saved.main}/${name}`, 'mine');

    const error = await ada.fails(['snapshot'], 'E_PAYLOAD_UNSUPPORTED');

    expect(error.message).toContain(name);
    expect(error.hint).toBeTruthy();
    nothingWasMade(saved);
  });

  test('.READY as a directory is refused by name', async ({ saved, ada }) => {
    mkdirSync(`${saved.main}/.READY`);

    expect((await ada.fails(['snapshot'], 'E_PAYLOAD_UNSUPPORTED')).message).toContain('.READY');
    nothingWasMade(saved);
  });

  test('deeper they are user files', async ({ saved, ada }) => {
    mkdirSync(`${saved.main}/deep/.READY`, { recursive: true });
    writeFileSync(`${saved.main}/deep/.jvs`, 'mine');

    const { snapshot_id } = await ada.json<Descriptor>(['snapshot']);

    const copy = `${saved.control}/snapshots/${snapshot_id}/deep`;
    expect(readdirSync(copy).toSorted()).toEqual(['.READY', '.jvs']);
    await ada.ok(['verify', snapshot_id]);
  });
});

describe('sockets, FIFOs and devices', () => {
  test('are skipped with the label special, named on stderr, never opened', async ({ saved, ada }) => {
    mkdirSync(`${saved.main}/deep`);
    execFileSync('mkfifo', [`${saved.main}/a-fifo`, `${saved.main}/deep/b-fifo`]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(`${saved.main}/deep/socket`, resolve));
    if (CAN_MOUNT) execFileSync('mknod', [`${saved.main}/device`, 'c', '1', '3']);

    const result = await ada.run(['--json', 'snapshot'], { timeoutMs: 15_000 });
    server.close();

    expect(result.exitCode).toBe(0);
    for (const name of ['a-fifo', 'deep/b-fifo', 'deep/socket']) expect(result.stderr).toContain(name);
    const made = JSON.parse(result.stdout) as Descriptor;
    expect(made.degradations).toContain('special');
    expect(made.payload_stats).toMatchObject({ files: 1, dirs: 1, symlinks: 0 });
    expect(readdirSync(`${saved.control}/snapshots/${made.snapshot_id}`).toSorted()).toEqual([
      '.READY',
      'deep',
      'hello.txt',
    ]);
    await ada.ok(['verify', made.snapshot_id], { timeoutMs: 15_000 });
    await ada.ok(['status'], { timeoutMs: 15_000 });
  });

  test('are refused by --strict-metadata', async ({ saved, ada }) => {
    execFileSync('mkfifo', [`${saved.main}/a-fifo`]);

    await ada.fails(['snapshot', '--strict-metadata'], 'E_METADATA_LOSS', { timeoutMs: 15_000 });

    nothingWasMade(saved);
  });

  test('that appeared in a snapshot are tampering, and hang nobody', async ({ saved, ada }) => {
    execFileSync('mkfifo', [`${saved.control}/snapshots/${saved.id}/a-fifo`]);

    const verified = await ada.run(['verify', saved.id], { timeoutMs: 15_000 });

    expect(verified.exitCode).toBe(1);
    expect(verified.stdout).toContain('a-fifo');
  });

  test('in place of control files hang nobody', async ({ saved, ada }) => {
    const descriptor = `${saved.control}/descriptors/${saved.id}.json`;
    unlinkSync(descriptor);
    execFileSync('mkfifo', [descriptor]);

    const verified = await ada.run(['verify', saved.id], { timeoutMs: 15_000 });

    expect(verified.exitCode).toBe(1);
  });
});

describe('times that a clock never was at', () => {
  test.for(['2045-06-07T08:09:10.123456Z', '1955-06-07T08:09:10.654321Z'])(
    'a payload root of %s is snapshotted, restored and imported with that time',
    async (time, { dir, saved, ada }) => {
      execFileSync('touch', ['-d', time, saved.main]);
      const expected = mtimeOf(saved.main);

      const { snapshot_id, degradations } = await ada.json<Descriptor>(['snapshot']);
      await ada.ok(['restore', snapshot_id, '--name', 'again']);
      await ada.at(dir).ok(['init', 'fresh', '--import', saved.main]);

      expect(degradations).toEqual([]);
      expect(mtimeOf(`${saved.control}/snapshots/${snapshot_id}`)).toBe(expected);
      expect(mtimeOf(`${saved.root}/worktrees/again`)).toBe(expected);
      expect(mtimeOf(`${dir}/fresh/main`)).toBe(expected);
    },
  );
});

const mtimeOf = (path: string) => execFileSync('stat', ['-c', '%.Y', path], { encoding: 'utf8' });

describe.runIf(CAN_MOUNT)('a mount inside the payload', () => {
  test('is refused by name', async ({ saved, ada }) => {
    await withTmpfs(`${saved.main}/deep/mounted`, 1, async () => {
      const error = await ada.fails(['snapshot'], 'E_PAYLOAD_UNSUPPORTED');

      expect(JSON.stringify([error.message, error.details])).toContain('deep/mounted');
      nothingWasMade(saved);
    });
    await ada.ok(['snapshot', 'once it is gone']);
  });

  test('in an imported directory is refused, and no repository is made', async ({ dir, ada }) => {
    await withTmpfs(`${dir}/source/mounted`, 1, async () => {
      await ada.fails(['init', 'fresh', '--import', 'source'], 'E_PAYLOAD_UNSUPPORTED');
    });
    expect(readdirSync(dir).filter((name) => name.includes('fresh'))).toEqual([]);
  });

  test('as the payload itself is refused', async ({ saved, ada }) => {
    await withTmpfs(saved.main, 1, async () => {
      const result = await ada.at(saved.root).run(['snapshot', '--worktree', 'main']);

      expect(result.exitCode).toBe(1);
      expect(result.stderr).toMatch(/^jvs: E_(PAYLOAD|FS)_UNSUPPORTED: /m);
      nothingWasMade(saved);
    });
  });
});

test('symlinks that escape are kept as they are and never followed', async ({ dir, saved, ada }) => {
  mkdirSync(`${dir}/outside`);
  writeFileSync(`${dir}/outside/secret`, 'secret');
  symlinkSync('../../outside', `${saved.main}/way-out`);

  const { snapshot_id } = await ada.json<Descriptor>(['snapshot']);
  await ada.ok(['restore', snapshot_id, '--name', 'again', '--verify']);

  expect(readFileSync(`${saved.control}/manifests/${snapshot_id}.manifest`, 'utf8')).not.toContain('secret');
  expect(readdirSync(`${dir}/outside`)).toEqual(['secret']);
});
