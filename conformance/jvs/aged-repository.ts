import { test as base, writeLargeRepository, type LargeRepository, type User } from '@jvs/testkit';

export interface Aged {
  repo: LargeRepository;
  main: string[];
  /** Snapshots that nothing leads to. */
  side: string[];
  user: User;
}

/** An old repository: four snapshots of main, and three of a worktree that was removed. */
export const test = base.extend<{ aged: Aged }>({
  aged: async ({ dir, ada }, use) => {
    const repo = writeLargeRepository(`${dir}/repo`, {
      worktrees: [
        { name: 'main', snapshots: 4 },
        { name: 'side', snapshots: 3, removed: true },
      ],
    });
    await use({ repo, main: repo.ids['main'] ?? [], side: repo.ids['side'] ?? [], user: ada.at(repo.main) });
  },
});
