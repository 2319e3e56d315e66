import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, linkSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';

import { canMount, mountFilesystem, type FilesystemType } from '@jvs/services';
import { test, writeLargeRepository, type LargeRepository } from '@jvs/testkit';
import { describe } from 'vitest';

import { fillDisk } from './mounts.ts';

interface Run {
  deleted_count: number;
  freed_bytes: number;
}

const MIB = 1024 * 1024;

/** Main with two small snapshots, and three of a removed worktree with a large file each. */
function write(root: string): LargeRepository {
  return writeLargeRepository(root, {
    worktrees: [
      { name: 'main', snapshots: 2 },
      { name: 'side', snapshots: 3, removed: true },
    ],
    payload: (index): Record<string, string> =>
      index < 2 ? { small: String(index) } : { large: String(index).repeat(4 * MIB) },
  });
}

async function onFilesystem(
  type: FilesystemType,
  sizeMiB: number,
  work: (dir: string) => Promise<void>,
): Promise<void> {
  const mounted = await mountFilesystem(type, { sizeMiB });
  try {
    await work(mounted.dir);
  } finally {
    await mounted.unmount();
  }
}

describe('on a full disk', () => {
  test.runIf(canMount('ext4'))('gc gets its room from the reserve, and gives space back', async ({ ada, expect }) => {
    await onFilesystem('ext4', 48, async (disk) => {
      const repo = write(`${disk}/repo`);
      const user = ada.at(repo.main);
      await user.ok(['doctor', '--repair-runtime']);
      expect(statSync(`${repo.control}/reserve`).size).toBe(4 * MIB);
      fillDisk(`${disk}/filler`);
      const before = statfsSync(disk).bfree;
      await user.fails(['ref', 'create', 'one', repo.ids['main']?.[0] ?? ''], 'E_IO');

      const { plan_id: id } = await user.json<{ plan_id: string }>(['gc', 'plan']);
      const result = await user.json<Run>(['gc', 'run', '--plan-id', id]);

      expect(result.deleted_count).toBe(3);
      expect(result.freed_bytes).toBeGreaterThanOrEqual(12 * MIB);
      const { bfree, bsize } = statfsSync(disk);
      expect((bfree - before) * bsize).toBeGreaterThanOrEqual(11 * MIB);
      expect(statSync(`${repo.control}/reserve`).size).toBe(4 * MIB);
      rmSync(`${disk}/filler`);
      await user.ok(['doctor', '--strict']);
    });
  });
});

test('what a kept snapshot shares by hard links is not counted as freed', async ({ dir, ada, expect }) => {
  const repo = write(`${dir}/repo`);
  const first = repo.ids['side']?.[0] ?? '';
  linkSync(`${repo.control}/snapshots/${first}/large`, `${dir}/elsewhere`);
  const { plan_id: id } = await ada.at(repo.main).json<{ plan_id: string }>(['gc', 'plan']);

  const { freed_bytes: freed } = await ada.at(repo.main).json<Run>(['gc', 'run', '--plan-id', id]);

  expect(freed).toBeGreaterThanOrEqual(8 * MIB);
  expect(freed).toBeLessThan(9 * MIB);
});

test.runIf(canMount('btrfs'))('a read-only subvolume is deleted like any other tree', async ({ ada, expect }) => {
  await onFilesystem('btrfs', 200, async (disk) => {
    const repo = write(`${disk}/repo`);
    const tree = `${repo.control}/snapshots/${repo.ids['side']?.[0] ?? ''}`;
    renameSync(tree, `${disk}/aside`);
    execFileSync('btrfs', ['subvolume', 'create', tree]);
    cpSync(`${disk}/aside`, tree, { recursive: true });
    execFileSync('btrfs', ['property', 'set', '-ts', tree, 'ro', 'true']);
    const user = ada.at(repo.main);
    const { plan_id: id } = await user.json<{ plan_id: string }>(['gc', 'plan']);

    expect(await user.json<Run>(['gc', 'run', '--plan-id', id])).toMatchObject({ deleted_count: 3 });

    expect(existsSync(tree)).toBe(false);
    expect(execFileSync('btrfs', ['subvolume', 'list', disk], { encoding: 'utf8' })).toBe('');
    await user.ok(['doctor', '--strict']);
  });
});
