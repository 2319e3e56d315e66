import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readdir, realpath, rename, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { displayPath } from '@jvs/platform/byte-path';
import { prettyJson } from '@jvs/platform/canonical-json';
import { systemClock, timestamp } from '@jvs/platform/clock';
import { relativeInside } from '@jvs/platform/contained-path';
import { deleteTree, syncDirectory, syncTree, unlinkIfThere, writeNew } from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { sha256 } from '@jvs/platform/digest';
import { openLog } from '@jvs/platform/exclusive-log';
import { withTreePool, scanTree } from '@jvs/platform/tree';
import { chooseEngine, countCloned, type Degradation } from '@jvs/snapshot-engine';
import { layoutOf, MAIN_WORKTREE, standardDirectories, type Layout } from './layout.ts';
import { checkName } from './names.ts';
import { advance, type OnProgress } from './progress.ts';
import { ExistsError, NotFoundError, UsageError } from './repository-errors.ts';
import { findRoot, openRepository, type Caller, type Repository, type RepositoryPorts } from './repository.ts';
import { writeReserve } from './reserve.ts';
import { checkPayloadRules } from './snapshot/payload-rules.ts';
import type { WorktreeConfig } from './worktree/worktree-config.ts';

/** The filesystem lacks what a repository rests on. */
export class FilesystemUnsupportedError extends CodedError {
  readonly code = 'E_FS_UNSUPPORTED';
  constructor(path: string, cause: unknown) {
    super(`The filesystem of "${path}" has no hard links`, {
      cause,
      hint: 'Choose a directory on a POSIX filesystem: ext4, XFS, btrfs, JuiceFS, NFS.',
      details: { path },
    });
  }
}

export interface InitOptions extends RepositoryPorts {
  /** A directory whose copy becomes the payload of main; it stays as it is. Default: main is empty. */
  importFrom?: string | undefined;
  /** The engine that imports, by name, which must then work. Default: the cheapest that does. */
  engine?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

export interface InitResult {
  repository: Repository;
  /** Sockets, FIFOs and devices that the import left out, in display form. */
  skipped: string[];
  /** What the import could not keep. */
  degradations: readonly Degradation[];
}

/**
 * Makes the repository at `path`, absent or an empty directory. It is built under another name beside it and renamed, so
 * that it exists entirely or not at all.
 * @throws NameInvalidError, ExistsError, UsageError inside another repository, FilesystemUnsupportedError
 */
export async function initRepository(path: string, caller: Caller, options: InitOptions = {}): Promise<InitResult> {
  const target = resolve(path);
  const name = basename(target);
  checkName('repository', name);
  const parent = await existingDirectory(dirname(target));
  await refuseOccupied(target, parent, name);
  const source = options.importFrom === undefined ? undefined : await existingDirectory(options.importFrom);
  if (source !== undefined) refuseInside(source, parent, target);

  const building = join(parent, `.${name}.jvs-init-${randomBytes(4).toString('hex')}`);
  await mkdir(building);
  try {
    const imported = await build(layoutOf(building), caller, source, options);
    await syncTree(building, options.signal);
    const real = join(parent, name);
    await rename(building, real).catch((error: unknown) => {
      if (hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw new ExistsError('file or directory', target);
      throw error;
    });
    await syncDirectory(parent);
    return { repository: await openRepository(real, caller, options), ...imported };
  } catch (error) {
    await deleteTree(building).catch(() => {});
    throw error;
  }
}

async function refuseOccupied(target: string, parent: string, name: string): Promise<void> {
  const outer = await findRoot(parent);
  if (outer !== undefined) {
    throw new UsageError(`"${target}" would lie inside the repository "${outer}"`, {
      hint: 'Choose a directory outside of it; "jvs worktree create" makes another worktree in it.',
      details: { path: target, repository: outer },
    });
  }
  const entries = await readdir(join(parent, name)).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [] as string[];
    if (hasCode(error, 'ENOTDIR')) throw new ExistsError('file', target, 'Choose another name.');
    throw error;
  });
  if (entries.length > 0) {
    const isRepository = entries.includes('.jvs');
    throw new ExistsError(
      isRepository ? 'repository' : 'directory with files',
      target,
      isRepository
        ? 'Go into it and run "jvs info".'
        : 'To version what is there: jvs init <new name> --import <that directory>.',
    );
  }
}

/** A tree cannot be copied into itself. */
function refuseInside(source: string, parent: string, target: string): void {
  if (relativeInside(source, parent) === undefined) return;
  throw new UsageError(`"${target}" would lie inside the directory that it is to import, "${source}"`, {
    hint: 'Make the repository beside it: run the command from another directory.',
    details: { path: target, source },
  });
}

async function existingDirectory(path: string): Promise<string> {
  const real = await realpath(resolve(path)).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) throw new NotFoundError('directory', path);
    throw error;
  });
  if (!(await stat(real)).isDirectory()) throw new UsageError(`"${path}" is no directory`, { details: { path } });
  return real;
}

async function build(
  layout: Layout,
  caller: Caller,
  source: string | undefined,
  options: InitOptions,
): Promise<Omit<InitResult, 'repository'>> {
  const { filled, portable, runtime } = standardDirectories(layout);
  await mkdir(layout.control);
  for (const directory of [...filled, ...portable, ...runtime]) await mkdir(directory);
  await probeHardLinks(layout);
  await writeNew(layout.formatVersion, '1\n', false);
  const repoId = randomUUID();
  await writeNew(layout.repoId, `${repoId}\n`, false);
  await writeReserve(layout);

  const { clock = systemClock } = options;
  const now = timestamp(clock.now());
  const config: WorktreeConfig = {
    worktree_id: randomUUID(),
    isolation: 'exclusive',
    created_at: now,
    base_snapshot_id: null,
    label: null,
  };
  const text = prettyJson(config);
  await mkdir(layout.worktreeMeta(MAIN_WORKTREE));
  await writeNew(layout.worktreeConfig(MAIN_WORKTREE), text, false);
  await mkdir(layout.state(config.worktree_id));
  const eventId = randomUUID();
  const ports = { tempDirectory: layout.tmp, clock };
  await openLog(layout.state(config.worktree_id), 'state', ports).appendAt(1, () => ({
    actor: caller.actor,
    at: now,
    event_id: eventId,
    head_snapshot_id: null,
    kind: 'create',
    lock: null,
    pending: null,
    reason: null,
    worktree: MAIN_WORKTREE,
    worktree_id: config.worktree_id,
  }));
  await openLog(layout.audit, 'audit', ports).appendAt(1, () => ({
    actor: caller.actor,
    condemned_plan: null,
    details: { object_sha256: sha256(text), repo_id: repoId },
    event_id: eventId,
    fencing_token: null,
    operation: 'repo_init',
    reason: null,
    session_id: null,
    snapshot_id: null,
    target: MAIN_WORKTREE,
    timestamp: now,
  }));
  if (source === undefined) {
    await mkdir(layout.payload(MAIN_WORKTREE));
    return { degradations: [], skipped: [] };
  }
  return await importTree(layout, source, options);
}

/** Everything rests on link(2) refusing to overwrite. */
async function probeHardLinks(layout: Layout): Promise<void> {
  const probe = join(layout.tmp, randomUUID());
  await writeNew(probe, '', false);
  try {
    await link(probe, `${probe}.link`);
    await unlinkIfThere(`${probe}.link`);
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
    throw new FilesystemUnsupportedError(layout.root, error);
  } finally {
    await unlinkIfThere(probe);
  }
}

async function importTree(
  layout: Layout,
  source: string,
  { engine: requested, signal, onProgress }: InitOptions,
): Promise<Omit<InitResult, 'repository'>> {
  return await withTreePool(async (pool) => {
    onProgress?.({ type: 'phase', phase: 'scanning' });
    const scan = await scanTree(pool, source, { signal });
    checkPayloadRules(scan);
    const { engine } = await chooseEngine(layout.tmp, { requested });
    onProgress?.({ type: 'phase', phase: 'importing' });
    onProgress?.({ type: 'planned', files: scan.totals.files, bytes: scan.totals.bytes });
    const report = advance(onProgress);
    const onCloned = report && countCloned(scan, report);
    const degradations = await engine.clone(source, layout.payload(MAIN_WORKTREE), { scan, signal, onCloned });
    return { degradations, skipped: scan.specials.map(displayPath) };
  });
}
