import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';

import { test as base, vi } from 'vitest';

import { writePayload } from './payloads.ts';
import { repositoryAt, type RepositoryFiles } from './repository-files.ts';
import { User } from './user.ts';

// A test of the CLI starts many processes, and on a busy machine each of them waits for its turn.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** What a test may ask for. Nothing is made that it does not name. */
export interface Fixtures {
  /** A fresh folder on a real filesystem, removed afterwards. */
  dir: string;
  /** A user with an own home; stands in `dir`, or in the main worktree of `repo` or `saved` once the test asks for it. */
  ada: User;
  /** Another one, with another home and the session `bob`. */
  bob: User;
  /** A repository that ada initialised: worktree main, empty, unlocked. */
  repo: RepositoryFiles;
  /** A repository in use: ada holds the lock of main and has taken one snapshot, of payload M1. */
  saved: SavedRepository;
}

export interface SavedRepository extends RepositoryFiles {
  /** The snapshot's id. */
  id: string;
}

/** Repositories made once a file; each test works on a copy. */
interface Templates {
  freshTemplate: string;
  savedTemplate: string;
}

export const test = base.extend<Fixtures & Templates>({
  freshTemplate: [
    // oxlint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const dir = freshFolder();
      await newUser(dir, 'ada').ok(['init', 'repo']);
      await use(dir);
      rmSync(dir, { recursive: true, force: true });
    },
    { scope: 'file' },
  ],
  savedTemplate: [
    // oxlint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const dir = freshFolder();
      const ada = newUser(dir, 'ada');
      await ada.ok(['init', 'repo']);
      writePayload(`${dir}/repo/main`, 'M1');
      ada.cwd = `${dir}/repo/main`;
      await ada.ok(['lock', 'acquire', '--lease-ms', '86400000']);
      await ada.ok(['snapshot', 'first']);
      await use(dir);
      rmSync(dir, { recursive: true, force: true });
    },
    { scope: 'file' },
  ],
  // oxlint-disable-next-line no-empty-pattern
  dir: async ({}, use) => {
    const dir = freshFolder();
    await use(dir);
    rmSync(dir, { recursive: true, force: true });
  },
  ada: async ({ dir }, use) => {
    await use(newUser(dir, 'ada'));
  },
  bob: async ({ dir }, use) => {
    await use(newUser(dir, 'bob', { JVS_SESSION: 'bob' }));
  },
  repo: async ({ dir, ada, bob, freshTemplate }, use) => {
    await use(copyOf(freshTemplate, dir, ada, bob));
  },
  saved: async ({ dir, ada, bob, savedTemplate }, use) => {
    const repo = copyOf(savedTemplate, dir, ada, bob);
    const [descriptor = ''] = readdirSync(`${repo.control}/descriptors`);
    await use({ ...repo, id: basename(descriptor, '.json') });
  },
});

/** Copies repository and homes, times included: a lease goes on where it was. Puts both users into main. */
function copyOf(template: string, dir: string, ada: User, bob: User): RepositoryFiles {
  cpSync(template, dir, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  const repo = repositoryAt(`${dir}/repo`);
  ada.cwd = repo.main;
  bob.cwd = repo.main;
  return repo;
}

/** A user whose home is `<dir>/home-<name>` and who stands in `dir`. */
export function newUser(dir: string, name: string, env: Record<string, string | undefined> = {}): User {
  const home = `${dir}/home-${name}`;
  mkdirSync(home, { recursive: true });
  return new User(home, dir, env);
}

function freshFolder(): string {
  return realpathSync(mkdtempSync(`${tmpdir()}/jvs-test-`));
}
