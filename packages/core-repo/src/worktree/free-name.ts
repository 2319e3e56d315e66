import { join } from 'node:path';
import { containedPath } from '@jvs/platform/contained-path';
import { isThere } from '@jvs/platform/durable-fs';
import { CodedError } from '@jvs/platform/errors';
import { listDirectory } from '../list-directory.ts';
import { ExistsError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { settleWorktree } from './settle.ts';
import { findState } from './state-log.ts';
import { worktreeNames, worktreeOf } from './worktree.ts';
import { readWorktreeConfig } from './worktree-config.ts';

/**
 * Looks whether a worktree may be called so, before much is done; the claim itself is what decides. Names are unique
 * without regard to case. An operation that is giving the name up is brought to its end first.
 * @param except the worktree's own present name, whose spelling may change
 * @throws ExistsError
 */
export async function refuseTakenName(r: Repository, name: string, except?: string): Promise<void> {
  const isTaken = (other: string): boolean => other !== except && other.toLowerCase() === name.toLowerCase();
  if ((await worktreeNames(r)).some(isTaken)) await settleDeparting(r, name);
  const taken = (await worktreeNames(r)).find(isTaken);
  if (taken !== undefined) throw new ExistsError('worktree', taken, 'Choose another name.');
  const path = r.layout.payload(name);
  await containedPath(r.root, path);
  if (await isThere(path)) throw new ExistsError('directory', path, 'Move it away or choose another name.');
  const clash = (await listDirectory(join(path, '..'))).find(isTaken);
  if (clash !== undefined) throw new ExistsError('directory', clash, 'Names are unique without regard to case.');
}

async function settleDeparting(r: Repository, name: string): Promise<void> {
  try {
    const config = await readWorktreeConfig(r, name);
    if (config === undefined) return;
    const w = worktreeOf(r, name, config);
    // A creation would only make sure that the name is taken, and a live author is better left alone.
    if ((await findState(r, w.id))?.pending?.op !== 'create') await settleWorktree(w);
  } catch (error) {
    // Somebody else's, too young to be given up, or damaged: then the name is taken.
    if (!(error instanceof CodedError)) throw error;
  }
}
