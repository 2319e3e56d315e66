import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { canMount, mountFilesystem, mountReadOnly } from '@jvs/services';

/** Elsewhere these tests are counted as skipped. */
export const CAN_MOUNT = canMount('tmpfs');

/** Runs `work` while a fresh tmpfs of so many MiB lies at `target`. */
export async function withTmpfs(target: string, sizeMiB: number, work: () => Promise<void>): Promise<void> {
  mkdirSync(target, { recursive: true });
  const mounted = await mountFilesystem('tmpfs', { at: target, sizeMiB });
  try {
    await work();
  } finally {
    await mounted.unmount();
  }
}

/** Runs `work` while `folder` can only be read, through every path that leads there. */
export async function withReadOnly(folder: string, work: () => Promise<void>): Promise<void> {
  const mounted = await mountReadOnly(folder);
  try {
    await work();
  } finally {
    await mounted.unmount();
  }
}

/** Writes to `path` until its filesystem is full to the last block. */
export function fillDisk(path: string): void {
  writeFileSync(path, '');
  for (const size of [1 << 20, 1 << 16, 1 << 12]) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(size, 'x'));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    }
  }
}
