import { writeLargeRepository, type LargeRepository, type LargeRepositoryOptions } from '@jvs/testkit';
import type { Repository } from '../../src/repository.ts';
import { open } from '../fixtures/world.ts';

/** Main with five snapshots, and three of a worktree that was removed, which nothing leads to; all more than 30 days old. */
const DEFAULT: LargeRepositoryOptions = {
  worktrees: [
    { name: 'main', snapshots: 5 },
    { name: 'side', snapshots: 3, removed: true },
  ],
};

export interface Aged {
  r: Repository;
  files: LargeRepository;
  main: string[];
  side: string[];
}

export async function aged(dir: string, options: LargeRepositoryOptions = {}): Promise<Aged> {
  const files = writeLargeRepository(`${dir}/repo`, { ...DEFAULT, ...options });
  return { r: await open(dir), files, main: files.ids['main'] ?? [], side: files.ids['side'] ?? [] };
}
