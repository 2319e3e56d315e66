import { realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { containedDirectory, relativeInside } from '@jvs/platform/contained-path';
import { listDirectory } from '../list-directory.ts';
import { checkName } from '../names.ts';
import { NotFoundError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { PayloadUnsupportedError } from '../snapshot/payload-rules.ts';
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

/** Names that have metadata, sorted. */
export async function worktreeNames(r: Repository): Promise<string[]> {
  return await listDirectory(r.layout.worktrees);
}

/** Every worktree that has a valid configuration. @throws DescriptorCorruptError for one that is damaged */
export async function openWorktrees(r: Repository): Promise<Worktree[]> {
  const worktrees: Worktree[] = [];
  for (const name of await worktreeNames(r)) {
    const config = await readWorktreeConfig(r, name);
    if (config !== undefined) worktrees.push(await contained(worktreeOf(r, name, config)));
  }
  return worktrees;
}

/** @throws PayloadUnsupportedError when the payload lies on another filesystem than the repository */
export async function requireSameFilesystem({ path, repository: r }: Worktree): Promise<void> {
  const [payload, control] = await Promise.all([stat(path), stat(r.layout.control)]);
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
