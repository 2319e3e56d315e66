import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasProgram } from '../system-packages.js';
import { sweepFolders } from './leftovers.ts';
import { ENVIRONMENT, run } from './run.ts';

type ImageType = 'xfs' | 'btrfs' | 'ext4';
/** In a file, or in memory. ramfs has no size, no attributes, and is a kind that jvs does not know. */
export type FilesystemType = ImageType | 'tmpfs' | 'ramfs';

export interface MountOptions {
  /** Size of the filesystem; ramfs has none. Default: 512; xfs is never smaller than 300, btrfs than 120. */
  sizeMiB?: number;
  /** An existing directory to mount it on. Default: a new one. */
  at?: string;
  /** Further mount options, as `mount -o` takes them. */
  options?: string;
  /** Further arguments of the program that makes the filesystem. */
  mkfsArgs?: string[];
}

export interface MountedFilesystem {
  /** Where it is mounted. */
  readonly dir: string;
  /** Changes it while it is mounted, as in `ro` or (tmpfs) `size=20m`. */
  readonly remount: (options: string) => Promise<void>;
  /** Unmounts it and removes everything; also where processes still use it. Calling it twice does no harm. */
  readonly unmount: () => Promise<void>;
}

const MAKE: Record<ImageType, { program: string; args: string[]; leastMiB: number }> = {
  xfs: { program: 'mkfs.xfs', args: ['-q', '-m', 'reflink=1'], leastMiB: 300 },
  btrfs: { program: 'mkfs.btrfs', args: ['-q'], leastMiB: 120 },
  ext4: { program: 'mkfs.ext4', args: ['-q', '-F'], leastMiB: 8 },
};

const PREFIX = 'jvs-mount-';
let mayMount: boolean | undefined;

/** Whether this machine lets us mount one of `type`, by trying: root is not enough in a container. */
export function canMount(type: FilesystemType): boolean {
  mayMount ??= tryMount();
  if (!mayMount || !isImage(type)) return mayMount;
  return hasProgram(MAKE[type].program) && spawnSync('losetup', ['-f'], { env: ENVIRONMENT }).status === 0;
}

function tryMount(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'jvs-probe-'));
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', 'jvs-probe', dir], { env: ENVIRONMENT }).status === 0;
  if (isMounted) spawnSync('umount', ['-l', dir], { env: ENVIRONMENT });
  rmSync(dir, { recursive: true });
  return isMounted;
}

function isImage(type: FilesystemType): type is ImageType {
  return type !== 'tmpfs' && type !== 'ramfs';
}

/**
 * Makes a filesystem in a file or in memory and mounts it; needs root. What a process leaves that ends without `unmount`
 * is removed when it exits or, if it was killed, by the next one that mounts.
 */
export async function mountFilesystem(
  type: FilesystemType,
  { sizeMiB = 512, at, options, mkfsArgs = [] }: MountOptions = {},
): Promise<MountedFilesystem> {
  const extra = options === undefined ? [] : [options];
  return await mountInOwnFolder(at, async (folder, dir) => {
    if (isImage(type)) {
      const image = join(folder, 'image');
      const { program, args, leastMiB } = MAKE[type];
      await writeFile(image, '');
      await truncate(image, Math.max(sizeMiB, leastMiB) * 1024 * 1024);
      await run(program, [...args, ...mkfsArgs, image]);
      await run('mount', ['-t', type, '-o', ['loop', ...extra].join(','), image, dir]);
    } else {
      const size = type === 'tmpfs' ? [`size=${sizeMiB}m`] : [];
      await run('mount', ['-t', type, '-o', ['rw', ...size, ...extra].join(','), 'jvs-test', dir]);
    }
  });
}

/** Makes `dir` and all below it read-only, through every path that leads there, until it is unmounted. */
export async function mountReadOnly(dir: string): Promise<MountedFilesystem> {
  return await mountInOwnFolder(dir, async () => bindReadOnly(dir, dir));
}

/** A read-only view of `dir` at a new path, which every user can reach though `dir` may lie in a closed home. */
export async function mountView(dir: string): Promise<MountedFilesystem> {
  return await mountInOwnFolder(undefined, async (_, at) => bindReadOnly(dir, at));
}

async function bindReadOnly(from: string, to: string): Promise<void> {
  await run('mount', ['--bind', from, to]);
  await run('mount', ['-o', 'remount,ro,bind', to]);
}

/** The folder belongs to this process; its `mnt` is the place, or a link to it, so that anybody can clean up by the folder alone. */
async function mountInOwnFolder(
  at: string | undefined,
  mount: (folder: string, dir: string) => Promise<void>,
): Promise<MountedFilesystem> {
  await sweepFolders(PREFIX, releaseFolder);
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  await chmod(folder, 0o755);
  const dir = at ?? join(folder, 'mnt');
  const release = (): void => releaseFolder(folder);
  process.once('exit', release);
  const unmount = async (): Promise<void> => {
    process.off('exit', release);
    await detach(dir);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    if (at === undefined) await mkdir(dir);
    else await symlink(at, join(folder, 'mnt'));
    await mount(folder, dir);
  } catch (error) {
    await unmount();
    throw error;
  }
  const remount = async (changed: string): Promise<void> => {
    await run('mount', ['-o', `remount,${changed}`, dir]);
  };
  return { dir, remount, unmount };
}

/** Orderly if possible; a filesystem in use goes as soon as its last user does. */
async function detach(dir: string): Promise<void> {
  for (const args of [[dir], ['-l', dir]]) {
    try {
      await run('umount', args);
      return;
    } catch (error) {
      if (error instanceof Error && /not mounted|no mount point|not found/.test(error.message)) return;
    }
  }
}

/** The same without waiting, for a process that is about to end. */
function releaseFolder(folder: string): void {
  spawnSync('umount', ['-l', join(folder, 'mnt')], { env: ENVIRONMENT });
  rmSync(folder, { recursive: true, force: true });
}
