import { readFileSync } from 'node:fs';
import { test } from '@jvs/testkit';
import { expect } from 'vitest';
import { filesystemKind, readBootId } from '../src/filesystem.ts';

test('a filesystem of memory belongs to this host alone', async () => {
  expect(await filesystemKind('/dev/shm')).toEqual({ name: 'tmpfs', local: true, honoursSyncfs: true });
});

test('of an unknown kind nothing is taken for granted: others may write to it, and syncfs do nothing', async () => {
  // PROC_SUPER_MAGIC of linux/magic.h
  expect(await filesystemKind('/proc')).toEqual({ name: '0x9fa0', local: false, honoursSyncfs: false });
});

test('a directory that is not there fails', async ({ dir }) => {
  await expect(filesystemKind(`${dir}/missing`)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the boot id names the running kernel', async () => {
  expect(await readBootId()).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
});
