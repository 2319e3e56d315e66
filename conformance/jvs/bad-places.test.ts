import { mkdirSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';

import { repositoryAt, stateRecords, test, type Descriptor } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { CAN_MOUNT, fillDisk, withReadOnly, withTmpfs } from './mounts.ts';

const MIB = 1 << 20;

describe.runIf(CAN_MOUNT)('a read-only mount', () => {
  test('commands that read work; the state of a lease is unknown', async ({ saved, ada }) => {
    await withReadOnly(saved.root, async () => {
      const reader = ada.at(saved.main);
      expect(await reader.ok(['verify', '--all'])).toContain(`${saved.id}  OK`);
      expect(await reader.json(['info'])).toMatchObject({ total_snapshots: 1 });
      expect(await reader.json(['status'])).toMatchObject({ head_snapshot_id: saved.id, clean: true });
      expect(await reader.json<Descriptor[]>(['history'])).toHaveLength(1);
      expect(await reader.json(['lock', 'status'])).toMatchObject({ state: 'unknown' });
      expect(await reader.json(['worktree', 'list'])).toMatchObject([{ name: 'main' }]);
      expect(await reader.json(['audit', 'verify'])).toMatchObject({ valid: true });
      expect(await reader.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
    });
  });

  test('commands that write fail with E_IO and EROFS, and change nothing', async ({ saved, ada }) => {
    await withReadOnly(saved.root, async () => {
      const writer = ada.at(saved.main);
      for (const args of [['snapshot'], ['lock', 'release'], ['restore', saved.id, '--name', 'x'], ['lock', 'renew']]) {
        const error = await writer.fails(args, 'E_IO');
        expect(JSON.stringify(error.details)).toContain('EROFS');
        expect(error.hint).toBeTruthy();
      }
    });
    expect(stateRecords(saved)).toHaveLength(3);
    await ada.at(saved.main).ok(['snapshot', 'works again']);
  });

  test('info works without the runtime directories, and calls the engine unknown', async ({ saved, ada }) => {
    for (const name of ['tmp', 'locks', 'intents', 'refs', 'gc']) {
      rmSync(`${saved.control}/${name}`, { recursive: true });
    }
    await withReadOnly(saved.root, async () => {
      const reader = ada.at(saved.main);
      expect(await reader.json(['info'])).toMatchObject({ snapshot_engine: null, total_snapshots: 1 });
      expect(await reader.json<Descriptor[]>(['history'])).toHaveLength(1);
      expect(await reader.ok(['verify', '--all'])).toContain(`${saved.id}  OK`);
      expect(await reader.json(['doctor'])).toMatchObject({ healthy: true });
    });
    expect(readdirSync(saved.control)).not.toContain('tmp');
  });

  test('init fails with a class', async ({ dir, ada }) => {
    mkdirSync(`${dir}/read-only`);
    await withReadOnly(`${dir}/read-only`, async () => {
      await ada.at(`${dir}/read-only`).fails(['init', 'fresh'], 'E_IO');
    });
    expect(readdirSync(`${dir}/read-only`)).toEqual([]);
  });
});

describe.runIf(CAN_MOUNT)('a full disk', () => {
  test('init that does not fit leaves nothing', async ({ dir, ada }) => {
    await withTmpfs(`${dir}/small`, 2, async () => {
      const error = await ada.at(`${dir}/small`).fails(['init', 'fresh'], 'E_IO');

      expect(JSON.stringify(error.details)).toContain('ENOSPC');
      expect(readdirSync(`${dir}/small`)).toEqual([]);
    });
  });

  test('a snapshot that does not fit is E_IO with ENOSPC; nothing is visible, earlier ones stay', async ({
    dir,
    ada,
  }) => {
    await withTmpfs(`${dir}/small`, 10, async () => {
      const repo = repositoryAt(`${dir}/small/repo`);
      await ada.at(`${dir}/small`).ok(['init', 'repo']);
      const user = ada.at(repo.main);
      writeFileSync(`${repo.main}/small`, 'small');
      await user.ok(['lock', 'acquire']);
      const first = await user.json<Descriptor>(['snapshot', 'fits']);
      writeFileSync(`${repo.main}/large`, Buffer.alloc(3.5 * MIB, 'x'));

      const error = await user.fails(['snapshot', 'does not fit'], 'E_IO');

      expect(JSON.stringify(error.details)).toContain('ENOSPC');
      expect(error.hint).toBeTruthy();
      expect(await user.json<Descriptor[]>(['history'])).toMatchObject([{ snapshot_id: first.snapshot_id }]);
      await user.ok(['verify', '--all']);

      rmSync(`${repo.main}/large`);
      const next = await user.json<Descriptor>(['snapshot', 'fits again']);
      expect(next.parent_snapshot_id).toBe(first.snapshot_id);
      await user.ok(['lock', 'release']);
      await user.ok(['doctor', '--repair-runtime']);
      expect(await user.json(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
    });
  });

  test('the reserve lets lock release and doctor go on when not one block is free', async ({ dir, ada }) => {
    await withTmpfs(`${dir}/small`, 8, async () => {
      const repo = repositoryAt(`${dir}/small/repo`);
      await ada.at(`${dir}/small`).ok(['init', 'repo']);
      const user = ada.at(repo.main);
      await user.ok(['lock', 'acquire']);
      fillDisk(`${repo.main}/filler`);
      expect(statfsSync(repo.main).bavail).toBe(0);

      const error = await user.fails(['snapshot'], 'E_IO');
      expect(JSON.stringify(error.details)).toContain('ENOSPC');
      await user.ok(['lock', 'release']);

      expect(stateRecords(repo).at(-1)).toMatchObject({ kind: 'release', lock: null });
      rmSync(`${repo.main}/filler`);
      await user.ok(['doctor', '--repair-runtime']);
      expect(statSync(`${repo.control}/reserve`).blocks * 512).toBeGreaterThanOrEqual(4 * MIB);
      expect(await user.json(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
    });
  });
});

describe('a copy without directories that are empty', () => {
  const MAY_BE_EMPTY = ['intents', 'locks', 'tmp', 'refs', 'gc', 'gc/plans', 'gc/tombstones', 'gc/pins'];

  test.for(MAY_BE_EMPTY)('works without %s', async (name, { saved, ada }) => {
    await ada.ok(['lock', 'release']);
    rmSync(`${saved.control}/${name}`, { recursive: true });

    expect(await ada.json(['doctor', '--repair-runtime'])).toMatchObject({ healthy: true, findings: [] });
    await ada.ok(['lock', 'acquire']);
    await ada.ok(['snapshot']);
    expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
  });

  test.for(['snapshots', 'descriptors', 'manifests'])('a young one works without %s', async (name, { repo, ada }) => {
    rmSync(`${repo.control}/${name}`, { recursive: true });

    await ada.ok(['snapshot', '--lock']);

    expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
  });

  test.for(['state', 'audit', 'worktrees'])(
    '%s is never empty, so its absence is damage',
    async (name, { saved, ada }) => {
      rmSync(`${saved.control}/${name}`, { recursive: true });

      const result = await ada.run(['--json', 'doctor']);

      expect(result.exitCode).toBe(1);
      expect(readdirSync(saved.control)).not.toContain(name);
    },
  );
});

describe('a home that is absent or cannot be written', () => {
  const HOMELESS = { HOME: undefined, XDG_STATE_HOME: undefined, XDG_CACHE_HOME: undefined };

  test('is no obstacle to commands that need no credentials', async ({ dir, saved, ada }) => {
    const homeless = ada.with(HOMELESS);
    for (const args of [['info'], ['history'], ['verify', '--all'], ['doctor'], ['worktree', 'create', 'x']]) {
      await homeless.ok(args);
    }
    await homeless.at(dir).ok(['init', 'fresh']);
    expect(await homeless.json(['status'])).toMatchObject({ head_snapshot_id: saved.id });
  });

  test('in which HOME is no directory gives a class and a hint', async ({ dir, repo, ada }) => {
    writeFileSync(`${dir}/not-a-folder`, '');
    const user = ada.with({ ...HOMELESS, HOME: `${dir}/not-a-folder` });

    const error = await user.fails(['lock', 'acquire'], 'E_IO');

    expect(error.hint).toContain('XDG_STATE_HOME');
    expect(stateRecords(repo)).toHaveLength(1);
  });
});
