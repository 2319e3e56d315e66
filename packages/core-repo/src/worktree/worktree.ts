import { realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { containedDirectory, relativeInside } from '@jvs/platform/contained-path';
import { listDirectory } from '../list-directory.ts';
import { checkName, NAME } from '../names.ts';
import { NotFoundError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { PayloadUnsupportedError } from '../snapshot/payload-rules.ts';
import { findState } from './state-log.ts';
import { readWorktreeConfig, type WorktreeConfig } from './worktree-config.ts';

/** A payload with its metadata. */
export interface Worktree {
  readonly repository: Repository;
  readonly name: string;
  readonly id: string;
  /** Where the payload lies. */
  readonly path: string;
  readonly config: WorktreeConfig;
}

/** A worktree as its state log knows it, which may have outlived its name. */
export type WorktreeIdentity = Pick<Worktree, 'repository' | 'name' | 'id'>;

/** The directory is in the repository but in none of its payloads. */
export class NotInWorktreeError extends CodedError {
  readonly code = 'E_NOT_IN_WORKTREE';
  constructor(path: string) {
    super(`"${path}" is in no worktree of the repository`, {
      hint: 'Go into main or worktrees/<name>, or name one with --worktree.',
      details: { path },
    });
  }
}

/** The worktree whose payload holds the directory `path`. @throws NotInWorktreeError */
export async function findWorktree(r: Repository, path: string): Promise<Worktree> {
  const inside = relativeInside(r.root, await realpath(resolve(path)));
  const [first, second] = inside?.split('/') ?? [];
  const name = first === 'worktrees' ? second : first;
  if (name === undefined || name === '' || (first !== 'main' && first !== 'worktrees'))
    throw new NotInWorktreeError(path);
  const config = await readWorktreeConfig(r, name);
  if (config === undefined) throw new NotInWorktreeError(path);
  return await contained(worktreeOf(r, name, config));
}

/** A worktree whose metadata or payload is a symlink is none of this repository's. @throws PathEscapeError */
async function contained(w: Worktree): Promise<Worktree> {
  const { root, layout } = w.repository;
  await containedDirectory(root, layout.worktreeMeta(w.name));
  await containedDirectory(root, w.path);
  return w;
}

/** @throws NameInvalidError, NotFoundError, PathEscapeError when its path leads out of the repository */
export async function openWorktree(r: Repository, name: string): Promise<Worktree> {
  checkName('worktree', name);
  const config = await readWorktreeConfig(r, name);
  if (config === undefined) throw new NotFoundError('worktree', name, 'Run "jvs worktree list" to see them.');
  return await contained(worktreeOf(r, name, config));
}

export function worktreeOf(r: Repository, name: string, config: WorktreeConfig): Worktree {
  return { repository: r, name, id: config.worktree_id, path: r.layout.payload(name), config };
}

/** Names that have metadata, sorted. What file managers and network filesystems leave there is none. */
export async function worktreeNames(r: Repository): Promise<string[]> {
  return (await listDirectory(r.layout.worktrees)).filter((name) => NAME.test(name) && !name.startsWith('.'));
}

/**
 * Every worktree that has a valid configuration, once: while a rename is under way it has two names, and the one in its
 * state counts. @throws DescriptorCorruptError for one that is damaged
 */
export async function openWorktrees(r: Repository): Promise<Worktree[]> {
  const worktrees = new Map<string, Worktree>();
  for (const name of await worktreeNames(r)) {
    const config = await readWorktreeConfig(r, name);
    if (config === undefined) continue;
    const w = await contained(worktreeOf(r, name, config));
    if (!worktrees.has(w.id) || (await nameInState(w)) === name) worktrees.set(w.id, w);
  }
  return [...worktrees.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function nameInState({ repository: r, id }: Worktree): Promise<string | undefined> {
  const record = await findState(r, id).catch(() => undefined);
  return record?.worktree;
}

/** Whether this very worktree, and not another one, is registered under the name. */
export async function holdsName(
  { repository: r, id }: Pick<Worktree, 'repository' | 'id'>,
  name: string,
): Promise<boolean> {
  return (await readWorktreeConfig(r, name))?.worktree_id === id;
}

/** @throws PayloadUnsupportedError when the payload lies on another filesystem than the repository; NotFoundError */
export async function requireSameFilesystem({ name, path, repository: r }: Worktree): Promise<void> {
  const [payload, control] = await Promise.all([stat(path), stat(r.layout.control)]).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    const back = `jvs restore ${name}:HEAD --worktree ${name} --inplace --lock --force --reason <why>`;
    throw new NotFoundError('payload directory', path, `Bring the head of the worktree back: ${back}`);
  });
  if (payload.dev === control.dev) return;
  throw new PayloadUnsupportedError([path], 'another filesystem is mounted there', 'Unmount it.');
}

/** Whether the payload directory is there. */
export async function hasPayload(w: Pick<Worktree, 'path'>): Promise<boolean> {
  try {
    return (await stat(w.path)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
