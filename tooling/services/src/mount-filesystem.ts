import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasProgram } from '../system-packages.js';

const execute = promisify(execFile);

export type FilesystemType = 'xfs' | 'btrfs' | 'ext4' | 'tmpfs';

export interface MountOptions {
  /** Size of the filesystem. Default: 512; xfs is never smaller than 300, btrfs than 120. */
  sizeMiB?: number;
  /** Further mount options, as `mount -o` takes them. */
  options?: string;
}

export interface MountedFilesystem {
  /** Where it is mounted. */
  readonly dir: string;
  /** Changes it while it is mounted, as in `ro` or (tmpfs) `size=20m`. */
  readonly remount: (options: string) => Promise<void>;
  /** Unmounts it and removes everything; also where processes still use it. Calling it twice does no harm. */
  readonly unmount: () => Promise<void>;
}

const MAKE: Record<Exclude<FilesystemType, 'tmpfs'>, { program: string; args: string[]; leastMiB: number }> = {
  xfs: { program: 'mkfs.xfs', args: ['-q', '-m', 'reflink=1'], leastMiB: 300 },
  btrfs: { program: 'mkfs.btrfs', args: ['-q'], leastMiB: 120 },
  ext4: { program: 'mkfs.ext4', args: ['-q', '-F'], leastMiB: 8 },
};

const ENVIRONMENT = { PATH: `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`, LC_ALL: 'C' };
const PREFIX = 'jvs-mount-';

/** Whether this machine lets us mount one of `type`: that takes root, and the tools. */
export function canMount(type: FilesystemType): boolean {
  return process.getuid?.() === 0 && (type === 'tmpfs' || hasProgram(MAKE[type].program));
}

/**
 * Makes a filesystem in a file and mounts it, or mounts a tmpfs; needs root. What a process leaves that ends without
 * `unmount` is removed when it exits or, if it was killed, by the next one that mounts.
 */
export async function mountFilesystem(
  type: FilesystemType,
  { sizeMiB = 512, options }: MountOptions = {},
): Promise<MountedFilesystem> {
  await sweepLeftovers();
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const dir = join(folder, 'mnt');
  const extra = options === undefined ? [] : [options];
  const release = (): void => releaseFolder(folder);
  process.once('exit', release);
  const unmount = async (): Promise<void> => {
    process.off('exit', release);
    await detach(dir);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await mkdir(dir);
    if (type === 'tmpfs') {
      await run('mount', ['-t', 'tmpfs', '-o', [`size=${sizeMiB}m`, ...extra].join(','), 'jvs-test', dir]);
    } else {
      const image = join(folder, 'image');
      const { program, args, leastMiB } = MAKE[type];
      await writeFile(image, '');
      await truncate(image, Math.max(sizeMiB, leastMiB) * 1024 * 1024);
      await run(program, [...args, image]);
      await run('mount', ['-t', type, '-o', ['loop', ...extra].join(','), image, dir]);
    }
  } catch (error) {
    await unmount();
    throw error;
  }
  const remount = async (changed: string): Promise<void> => run('mount', ['-o', `remount,${changed}`, dir]);
  return { dir, remount, unmount };
}

async function run(program: string, args: string[]): Promise<void> {
  await execute(program, args, { env: ENVIRONMENT });
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

async function sweepLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !isAlive(Number(owner))) releaseFolder(join(tmpdir(), name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
