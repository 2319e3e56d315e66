import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';

import { test, type CliResult, type SavedRepository } from '@jvs/testkit';
import { describe, expect } from 'vitest';

type Damage = [string, (path: string) => void];

/** What may happen to any file: it is gone, empty, cut short, noise, a directory, or one byte differs. */
const DAMAGES: Damage[] = [
  ['missing', (path) => rmSync(path)],
  ['empty', (path) => truncateSync(path, 0)],
  ['cut short', (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2))],
  ['noise', (path) => writeFileSync(path, Buffer.from([0, 255, 254, 10, 123, 34]))],
  ['another JSON value', (path) => writeFileSync(path, 'null\n')],
  [
    'a directory',
    (path) => {
      rmSync(path);
      mkdirSync(path);
    },
  ],
  [
    'one byte changed',
    (path) => {
      const bytes = readFileSync(path);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    },
  ],
];

const RESTORE = ['restore', 'HEAD', '--name', 'again'];

interface Target {
  name: string;
  pathOf: (saved: SavedRepository) => string;
  /** A command that needs the file, and so must fail. */
  reader: string[];
  damages: Damage[];
}

const FILES: Target[] = [
  {
    name: 'config.json of a worktree',
    pathOf: ({ control }) => `${control}/worktrees/main/config.json`,
    reader: ['snapshot'],
    damages: DAMAGES,
  },
  { name: 'repo_id', pathOf: ({ control }) => `${control}/repo_id`, reader: ['snapshot'], damages: DAMAGES },
  {
    name: 'a descriptor',
    pathOf: ({ control, id }) => `${control}/descriptors/${id}.json`,
    reader: RESTORE,
    damages: DAMAGES,
  },
  {
    name: '.READY',
    pathOf: ({ control, id }) => `${control}/snapshots/${id}/.READY`,
    reader: RESTORE,
    damages: DAMAGES,
  },
  {
    name: 'a manifest',
    pathOf: ({ control, id }) => `${control}/manifests/${id}.manifest`,
    reader: RESTORE,
    damages: DAMAGES.slice(1),
  },
];

describe.for(FILES)('$name', ({ pathOf, reader, damages }) => {
  test.for(damages)('%s: found by doctor --strict, refused by who needs it', async ([, damage], { saved, ada }) => {
    damage(pathOf(saved));

    for (const result of await Promise.all([ada.run(['doctor', '--strict']), ada.run(reader)])) {
      expect(result).toMatchObject({ exitCode: 1 });
      expectStableClass(result);
    }
  });
});

describe('what is missing', () => {
  const folders = ['descriptors', 'manifests', 'snapshots', 'audit', 'state', 'worktrees'];

  test.for(folders)('%s: found by doctor --strict, and no command breaks down', async (folder, { saved, ada }) => {
    rmSync(`${saved.control}/${folder}`, { recursive: true });

    const results = await Promise.all([ada.run(['doctor', '--strict']), ada.run(['history']), ada.run(['snapshot'])]);

    expect(results[0].exitCode).toBe(1);
    for (const result of results) expectStableClass(result);
  });

  test('intents, locks, tmp, reserve and cache can be missing: everything works', async ({ saved, ada }) => {
    for (const name of ['intents', 'locks', 'tmp', 'reserve', 'cache']) {
      rmSync(`${saved.control}/${name}`, { recursive: true, force: true });
    }

    await ada.ok(['snapshot']);
    await ada.ok(['restore', saved.id, '--name', 'again']);
    await ada.ok(['doctor', '--strict']);
  });
});

/** Success, or a failure with a class of ours that is not E_INTERNAL and shows no stack. */
function expectStableClass({ exitCode, stdout, stderr }: CliResult): void {
  if (exitCode === 0) return;
  expect(exitCode).toBe(1);
  expect(stdout + stderr).not.toContain('E_INTERNAL');
  expect(stderr).not.toMatch(/^ +at .+:\d+:\d+/m);
}
