import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { systemClock, type Clock } from '@jvs/platform/clock';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { silentLog, type Log } from '@jvs/platform/log';
import { CONTROL_DIRECTORY, layoutOf, standardDirectories, type Layout } from './layout.ts';
import { DescriptorCorruptError } from './repository-errors.ts';

/** Who is asking. Applications make it from the environment; libraries never look there themselves. */
export interface Caller {
  /** `host:user:pid:start_time`, kept in every record that this process makes. */
  actor: string;
  sessionId: string;
  /** Where secrets of held locks lie, as `$XDG_STATE_HOME`; undefined when there is none. */
  stateHome: string | undefined;
  /** The only token under which this process may act, as `$JVS_FENCING_TOKEN`. */
  fencingToken?: number | undefined;
}

/** An open repository. */
export interface Repository {
  readonly root: string;
  readonly id: string;
  readonly formatVersion: 1;
  readonly caller: Caller;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RepositoryPorts {
  clock?: Clock;
  log?: Log;
}

/** Neither the directory nor one above it is a repository. */
export class NotARepositoryError extends CodedError {
  readonly code = 'E_NOT_A_REPOSITORY';
  constructor(from: string) {
    super(`"${from}" is not inside a JVS repository`, {
      hint: 'Run "jvs init <name>" to make one, or go into one with -C <dir>.',
      details: { path: from },
    });
  }
}

/** The repository was made by a newer program. */
export class FormatUnsupportedError extends CodedError {
  readonly code = 'E_FORMAT_UNSUPPORTED';
  constructor(root: string, version: string) {
    super(`The repository "${root}" has format version ${version}; this program reads version 1`, {
      hint: 'Use a newer jvs.',
      details: { path: root, format_version: version, supported: 1 },
    });
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Opens the repository that holds the directory `from`: the nearest one upwards with a directory `.jvs`.
 * @throws NotARepositoryError, FormatUnsupportedError, DescriptorCorruptError
 */
export async function openRepository(from: string, caller: Caller, ports: RepositoryPorts = {}): Promise<Repository> {
  const root = await findRoot(from);
  if (root === undefined) throw new NotARepositoryError(from);
  const layout = layoutOf(root);
  await checkFormat(layout);
  const id = (await readControlText(layout.repoId)).replace(/\n$/, '');
  if (!UUID.test(id)) throw new DescriptorCorruptError(layout.repoId, 'does not hold a UUID');
  await completeCopy(layout);
  return { root, id, formatVersion: 1, caller, layout, clock: ports.clock ?? systemClock, log: ports.log ?? silentLog };
}

/** The nearest directory upwards from `from` that holds a directory `.jvs`, with symlinks resolved. */
export async function findRoot(from: string): Promise<string | undefined> {
  let directory = await realpath(resolve(from)).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  });
  while (directory !== undefined) {
    if (await isDirectory(join(directory, CONTROL_DIRECTORY))) return directory;
    directory = dirname(directory) === directory ? undefined : dirname(directory);
  }
  return undefined;
}

/** What may lack in a copy is made when that is first opened, as far as anything can be written there. */
async function completeCopy(layout: Layout): Promise<void> {
  const { portable, runtime } = standardDirectories(layout);
  const directories = [...portable, ...runtime];
  const present = await Promise.all(directories.map(isDirectory));
  for (const [index, directory] of directories.entries()) {
    if (present[index] === true) continue;
    try {
      // One by one: with `recursive`, Node answers ENOENT on a read-only filesystem.
      await mkdir(directory);
    } catch (error) {
      if (hasCode(error, 'EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT')) return;
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}

/** Before anything else of a repository is read: its format must be one that we know. */
async function checkFormat(layout: Layout): Promise<void> {
  const text = await readControlText(layout.formatVersion);
  if (text === '1\n') return;
  const version = /^(\d+)\n$/.exec(text)?.[1];
  if (version !== undefined && !version.startsWith('0') && BigInt(version) > 1n) {
    throw new FormatUnsupportedError(layout.root, version);
  }
  throw new DescriptorCorruptError(layout.formatVersion, 'does not hold a format version');
}

async function readControlText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EISDIR')) throw new DescriptorCorruptError(path, 'is missing', error);
    throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) return false;
    throw error;
  }
}
