import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Mounted {
  /** Where it is mounted. */
  dir: string;
  unmount(): void;
}

/** A fresh XFS with reflinks in a loop-mounted image; needs root and the package xfsprogs. */
export function mountXfs(): Mounted {
  return mounted((base, dir) => {
    execFileSync('truncate', ['-s', '512M', `${base}/image`]);
    execFileSync('mkfs.xfs', ['-q', '-m', 'reflink=1', `${base}/image`]);
    execFileSync('mount', ['-o', 'loop', `${base}/image`, dir]);
  });
}

/** An ext4, which has room for small extended attributes only. */
export function mountExt4(): Mounted {
  return mounted((base, dir) => {
    execFileSync('truncate', ['-s', '256M', `${base}/image`]);
    execFileSync('mkfs.ext4', ['-q', '-F', '-N', '65536', `${base}/image`]);
    execFileSync('mount', ['-o', 'loop', `${base}/image`, dir]);
  });
}

/** A filesystem that knows neither extended attributes nor ACLs. */
export function mountRamfs(): Mounted {
  return mounted((_, dir) => execFileSync('mount', ['-t', 'ramfs', 'jvs-test', dir]));
}

/** A filesystem of exactly this size in memory. */
export function mountTmpfs(sizeMiB: number): Mounted {
  return mounted((_, dir) => execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'jvs-test', dir]));
}

function mounted(mount: (base: string, dir: string) => void): Mounted {
  // Images lie in memory where possible: what else the disk is doing then does not matter.
  const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'jvs-mount-'));
  const dir = `${base}/mounted`;
  mkdirSync(dir);
  mount(base, dir);
  return {
    dir,
    unmount(): void {
      execFileSync('umount', ['-l', dir]);
      rmSync(base, { recursive: true, force: true });
    },
  };
}
