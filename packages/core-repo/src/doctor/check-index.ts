import { join, relative } from 'node:path';
import { deleteTree } from '@jvs/platform/durable-fs';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { readWorktreeConfig } from '../worktree/worktree-config.ts';
import { worktreeNames } from '../worktree/worktree.ts';
import type { Finding, Repair } from './finding.ts';

/** Caches of worktrees that are not there any more. A cache that is in use proves itself whenever it is read. */
export async function checkIndex(r: Repository): Promise<Finding[]> {
  return (await strayCaches(r)).map((path) => ({
    category: 'stray_cache',
    code: null,
    severity: 'info',
    path: relative(r.root, path),
    description: `The cache ${relative(r.root, path)} belongs to no worktree; it only takes room.`,
    repair: 'rebuild_index',
  }));
}

/** `rebuild_index`: removes them; what is needed again is made again by the next snapshot. */
export async function rebuildIndex(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const path of await strayCaches(r)) {
    await deleteTree(path);
    repairs.push({ repair: 'rebuild_index', description: `Removed ${relative(r.root, path)}.` });
  }
  return repairs;
}

async function strayCaches(r: Repository): Promise<string[]> {
  const files = await listDirectory(r.layout.cache);
  if (files.length === 0) return [];
  const known = new Set<string>();
  for (const name of await worktreeNames(r)) {
    const config = await readWorktreeConfig(r, name);
    if (config !== undefined) known.add(`${config.worktree_id}.stat`);
  }
  return files.filter((file) => !known.has(file)).map((file) => join(r.layout.cache, file));
}
