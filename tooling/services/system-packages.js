// Plain JavaScript with nothing but Node's own modules: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Debian's packages that the tests use, and a program of each by which its presence shows. */
const PACKAGES = {
  attr: 'setfattr',
  'btrfs-progs': 'mkfs.btrfs',
  coreutils: 'cp',
  e2fsprogs: 'mkfs.ext4',
  fish: 'fish',
  iproute2: 'ip',
  mount: 'mount',
  'python3-pip': 'pip3',
  'redis-server': 'redis-server',
  rsync: 'rsync',
  strace: 'strace',
  'util-linux': 'setpriv',
  xfsprogs: 'mkfs.xfs',
  zsh: 'zsh',
};

/** Where programs are sought besides PATH, which for users often lacks the last three. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * The packages of the list that this machine lacks.
 * @returns {string[]}
 */
export function missingSystemPackages() {
  return Object.entries(PACKAGES)
    .filter(([, program]) => !hasProgram(program))
    .map(([name]) => name);
}

/**
 * Whether `program` can be started.
 * @param {string} program
 */
export function hasProgram(program) {
  return [...(process.env['PATH'] ?? '').split(':'), ...SYSTEM_FOLDERS].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

/**
 * Installs what is missing where that is possible: as root, with apt. Does nothing, and quickly, where nothing is.
 * @param {(line: string) => void} tell
 * @returns {string[]} the packages that are still missing
 */
export function ensureSystemPackages(tell) {
  const missing = missingSystemPackages();
  if (missing.length === 0) return [];
  if (process.getuid?.() !== 0 || !hasProgram('apt-get')) {
    tell(`These Debian packages are missing, and tests that need them are skipped: ${missing.join(' ')}`);
    tell(`As root: apt-get install --no-install-recommends ${missing.join(' ')}`);
    return missing;
  }
  tell(`Installing ${missing.join(' ')}`);
  const lock = ['-o', 'DPkg::Lock::Timeout=120'];
  apt(['update', '-qq', ...lock]);
  apt(['install', '-y', '-qq', '--no-install-recommends', ...lock, ...missing]);
  return missingSystemPackages();
}

/** @param {string[]} args */
function apt(args) {
  const { status, stdout, stderr, error } = spawnSync('apt-get', args, {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status === 0) return;
  throw new Error(`apt-get ${args[0]} failed: ${`${stdout ?? ''}${stderr ?? ''}`.slice(-2000)}`, { cause: error });
}
