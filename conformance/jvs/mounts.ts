import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import process from 'node:process';

/** Mounting needs root; elsewhere these tests are counted as skipped. */
export const CAN_MOUNT = process.getuid?.() === 0;

/** Runs `work` while a fresh tmpfs of `size` bytes lies at `target`. */
export async function withTmpfs(target: string, size: number, work: () => Promise<void>): Promise<void> {
  mkdirSync(target, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', target]);
  await unmountAfter(target, work);
}

/** Runs `work` while `folder` can only be read, through every path that leads there. */
export async function withReadOnly(folder: string, work: () => Promise<void>): Promise<void> {
  execFileSync('mount', ['--bind', folder, folder]);
  await unmountAfter(folder, async () => {
    execFileSync('mount', ['-o', 'remount,ro,bind', folder]);
    await work();
  });
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

async function unmountAfter(target: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    execFileSync('umount', ['--lazy', target]);
  }
}
