import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';

import { canMount, mountFilesystem, type FilesystemType } from '@jvs/services';
import { repositoryAt, test, writePayload, type Descriptor } from '@jvs/testkit';
import { describe, expect } from 'vitest';

/** What the probe must find where files can share extents, and where they cannot. */
const ENGINES: [FilesystemType, string][] = [
  ['xfs', 'reflink-copy'],
  ['btrfs', 'reflink-copy'],
  ['ext4', 'copy'],
  ['tmpfs', 'copy'],
];

describe.for(ENGINES)('on %s', ([type, engine]) => {
  test.runIf(canMount(type))(`snapshots are made by ${engine}, and the loop works`, async ({ ada }) => {
    const filesystem = await mountFilesystem(type, { sizeMiB: 64 });
    try {
      const user = ada.at(filesystem.dir);
      await user.ok(['init', 'repo']);
      const repo = repositoryAt(`${filesystem.dir}/repo`);
      writePayload(repo.main, 'M3');
      mkdirSync(`${repo.main}/large`);
      writeFileSync(`${repo.main}/large/file`, Buffer.alloc(1 << 20, 'large'));
      user.cwd = repo.main;
      await user.ok(['lock', 'acquire']);

      const made = await user.json<Descriptor>(['snapshot']);

      expect(made).toMatchObject({ engine, degradations: [], payload_stats: { files: 12, dirs: 2, symlinks: 1 } });
      expect(await user.json(['info'])).toMatchObject({ snapshot_engine: engine });
      await user.ok(['restore', made.snapshot_id, '--name', 'again', '--verify']);
      const again = user.at(`${repo.root}/worktrees/again`);
      expect(readdirSync(again.cwd, 'latin1').toSorted()).toEqual(readdirSync(repo.main, 'latin1').toSorted());
      expect(await again.json(['status'])).toMatchObject({ clean: true });
      await user.ok(['lock', 'release']);
      expect(await user.json(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
    } finally {
      await filesystem.unmount();
    }
  });
});

test.runIf(canMount('ext4'))('reflink-copy where there are no reflinks is E_ENGINE_UNAVAILABLE', async ({ ada }) => {
  const filesystem = await mountFilesystem('ext4', { sizeMiB: 64 });
  try {
    const user = ada.at(filesystem.dir);
    await user.ok(['init', 'repo']);
    user.cwd = `${filesystem.dir}/repo/main`;
    await user.ok(['lock', 'acquire']);

    await user.fails(['snapshot', '--engine', 'reflink-copy'], 'E_ENGINE_UNAVAILABLE');

    expect(await user.json<Descriptor[]>(['history'])).toEqual([]);
  } finally {
    await filesystem.unmount();
  }
});
