import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';

import {
  newUser,
  repositoryAt,
  test as base,
  writeLargeRepository,
  type RepositoryFiles,
  type User,
} from '@jvs/testkit';

/** An old repository with a plan that deletes the snapshots of a removed worktree. */
export interface Aged {
  repo: RepositoryFiles;
  planId: string;
  /** Snapshots of main, which stay. */
  main: string[];
  /** Snapshots that the plan deletes, in its order. */
  doomed: string[];
  user: User;
  bob: User;
}

interface Template {
  dir: string;
  planId: string;
  main: string[];
  doomed: string[];
}

export const test = base.extend<{ agedTemplate: Template; aged: Aged }>({
  agedTemplate: [
    // oxlint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const dir = mkdtempSync(`${tmpdir()}/jvs-aged-`);
      const { ids, main } = writeLargeRepository(`${dir}/repo`, {
        worktrees: [
          { name: 'main', snapshots: 3 },
          { name: 'side', snapshots: 3, removed: true },
        ],
      });
      const ada = newUser(dir, 'ada').at(main);
      await ada.ok(['doctor', '--repair-runtime']);
      const { plan_id: planId } = await ada.json<{ plan_id: string }>(['gc', 'plan']);
      await use({ dir, planId, main: ids['main'] ?? [], doomed: (ids['side'] ?? []).toSorted() });
      rmSync(dir, { recursive: true });
    },
    { scope: 'file' },
  ],
  aged: async ({ dir, ada, bob, agedTemplate }, use) => {
    cpSync(agedTemplate.dir, dir, { recursive: true, preserveTimestamps: true });
    const repo = repositoryAt(`${dir}/repo`);
    const { planId, main, doomed } = agedTemplate;
    await use({ repo, planId, main, doomed, user: ada.at(repo.main), bob: bob.at(repo.main) });
  },
});

const PLACES = { snapshots: '', descriptors: '.json', manifests: '.manifest' };

/** A snapshot has a tree, a descriptor and a manifest, or none of them and a tombstone. */
export function wholeOrGone({ control }: RepositoryFiles, id: string): 'whole' | 'gone' {
  const found = Object.entries(PLACES).filter(([folder, end]) => existsSync(`${control}/${folder}/${id}${end}`));
  const isBuried = existsSync(`${control}/gc/tombstones/${id}.json`);
  if (found.length === 3 && !isBuried) return 'whole';
  if (found.length === 0 && isBuried) return 'gone';
  throw new Error(`Of ${id} there is ${found.map(([folder]) => folder).join()}${isBuried ? ' and a tombstone' : ''}`);
}

export function runDirectories({ control }: RepositoryFiles): string[] {
  return readdirSync(`${control}/tmp`).filter((name) => name.startsWith('op-'));
}
