import { spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { canMount, type FilesystemType, mountFilesystem } from '../src/mount-filesystem.ts';

function typeOf(dir: string): string {
  return spawnSync('stat', ['-f', '-c', '%T', dir], { encoding: 'utf8' }).stdout.trim();
}

describe.each<FilesystemType>(['xfs', 'btrfs', 'ext4', 'tmpfs'])('%s', (type) => {
  test.runIf(canMount(type))('is mounted, used, and gone without a trace', async () => {
    const mounted = await mountFilesystem(type, { sizeMiB: 16 });
    await writeFile(join(mounted.dir, 'file'), 'x'.repeat(8192));

    expect(typeOf(mounted.dir)).toContain(type.slice(0, 4).replace('ext4', 'ext'));
    const clone = copyFile(join(mounted.dir, 'file'), join(mounted.dir, 'clone'), constants.COPYFILE_FICLONE_FORCE);
    expect(
      await clone.then(
        () => true,
        () => false,
      ),
    ).toBe(type === 'xfs' || type === 'btrfs');

    await mounted.unmount();
    await mounted.unmount();
    expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(mounted.dir);
    await expect(readdir(join(mounted.dir, '..'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test.runIf(canMount('tmpfs'))('a full filesystem is full, until it is given more room', async () => {
  const mounted = await mountFilesystem('tmpfs', { sizeMiB: 1 });
  const file = join(mounted.dir, 'file');
  await expect(writeFile(file, Buffer.alloc(2 * 1024 * 1024))).rejects.toMatchObject({ code: 'ENOSPC' });

  await mounted.remount('size=4m');

  await writeFile(file, Buffer.alloc(2 * 1024 * 1024));
  await mounted.unmount();
});
