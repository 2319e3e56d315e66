import { randomUUID } from 'node:crypto';
import { constants, copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cloneWithCp, recloneWithCp } from './clone-with-cp.ts';
import type { SnapshotEngine } from './snapshot-engine.ts';

/** A file within an inode, or shorter than a block, may be "cloned" where extents cannot be shared. */
const PROBE_BYTES = 64 * 1024;

/** Shared extents, file by file: on XFS, btrfs, bcachefs and ZFS. */
export const reflinkEngine: SnapshotEngine = {
  name: 'reflink-copy',
  cost: 'per file',
  probe: canReflink,
  clone: (source, target, options) => cloneWithCp('auto', source, target, options),
  reclone: (source, target, paths, options) => recloneWithCp('auto', source, target, paths, options),
};

async function canReflink(dir: string): Promise<boolean> {
  const from = join(dir, `.jvs-probe-${randomUUID()}`);
  const to = `${from}-clone`;
  try {
    await writeFile(from, new Uint8Array(PROBE_BYTES).fill(1), { flag: 'wx', mode: 0o600 });
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch {
    return false;
  } finally {
    await Promise.allSettled([rm(from, { force: true }), rm(to, { force: true })]);
  }
}
