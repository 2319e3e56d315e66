import { mkdtempSync } from 'node:fs';
import { canMount, mountFilesystem, type MountedFilesystem } from '@jvs/services';
import { copyEngine } from '@jvs/snapshot-engine';
import { describeEngine } from '@jvs/snapshot-engine/contract';
import { afterAll, beforeAll, describe } from 'vitest';

describe.runIf(canMount('ext4'))('on an ext4', () => {
  let ext4: MountedFilesystem;
  beforeAll(async () => {
    ext4 = await mountFilesystem('ext4', { sizeMiB: 256, mkfsArgs: ['-N', '65536'] });
  });
  afterAll(async () => {
    await ext4.unmount();
  });

  describeEngine(copyEngine, () => mkdtempSync(`${ext4.dir}/case-`));
});
