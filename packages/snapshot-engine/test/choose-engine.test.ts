import { canMount, mountFilesystem, type MountedFilesystem } from '@jvs/services';
import { test } from '@jvs/testkit';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { chooseEngine } from '@jvs/snapshot-engine';

describe.runIf(canMount('xfs'))('the choice', () => {
  let xfs: MountedFilesystem;
  let tmpfs: MountedFilesystem;
  beforeAll(async () => {
    xfs = await mountFilesystem('xfs');
    tmpfs = await mountFilesystem('tmpfs', { sizeMiB: 1 });
  });
  afterAll(async () => {
    await xfs.unmount();
    await tmpfs.unmount();
  });

  test('takes the cheapest engine that works', async () => {
    expect((await chooseEngine(xfs.dir)).engine.name).toBe('reflink-copy');
    expect((await chooseEngine(tmpfs.dir)).engine.name).toBe('copy');
  });

  test('obeys a request that works', async () => {
    expect((await chooseEngine(xfs.dir, { requested: 'copy' })).engine.name).toBe('copy');
  });

  test.each([
    ['reflink-copy', 'does not work on this filesystem'],
    ['juicefs-clone', 'is not built into this version'],
    ['btrfs-snapshot', 'is not built into this version'],
    ['link-copy', 'is not built into this version'],
    ['zip', 'does not exist'],
  ])('refuses %s on tmpfs: it %s', async (requested, why) => {
    await expect(chooseEngine(tmpfs.dir, { requested })).rejects.toMatchObject({
      code: 'E_ENGINE_UNAVAILABLE',
      message: `The snapshot engine "${requested}" ${why}`,
      hint: 'Choose one of: reflink-copy, copy.',
    });
  });
});
