import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hasProgram } from '@jvs/services';
import { setHeartbeatBack, test, writeLargeRepository, type SavedRepository, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';
import { blocksIn, Reader } from './guide.ts';

interface World {
  dir: string;
  repo: SavedRepository;
  ada: User;
  bob: User;
  reader: Reader;
}

/** How a block of a guide is tried. */
interface Trial {
  /** Its first words: the guide and this list are in step. */
  block: string;
  /** Brings about what the guide speaks of. */
  prepare?: (world: World) => Promise<void> | void;
  /** What stands for the guide's placeholders and example paths. */
  replace?: (world: World) => Record<string, string | (() => string)>;
  check?: (printed: string, world: World) => Promise<void> | void;
  /** Why it cannot be tried here. */
  skip?: string;
}

/** Types all blocks of a guide into one shell, in their order. */
async function follow(page: string, language: string, trials: readonly Trial[], world: World): Promise<void> {
  const blocks = blocksIn(page, language);
  expect(blocks.map((block) => block.slice(0, 20))).toEqual(
    trials.map(({ block }) => expect.stringContaining(block.slice(0, 20))),
  );
  for (const [index, { block: start, skip, prepare, replace, check }] of trials.entries()) {
    const block = blocks[index] ?? '';
    expect(block.startsWith(start)).toBe(true);
    if (skip !== undefined) continue;
    await prepare?.(world);
    const printed = world.reader.type(block, replace?.(world));
    await check?.(printed, world);
  }
}

test('the quick start works as it is written', { timeout: 120_000 }, async ({ dir, ada, bob, saved: repo }) => {
  mkdirSync(`${dir}/desk`);
  mkdirSync(`${ada.home}/old-project`);
  writeFileSync(`${ada.home}/old-project/thesis.tex`, 'To be written.');
  const world = { dir, ada: ada.at(`${dir}/desk`), bob, repo, reader: new Reader(dir, ada) };
  ada.cwd = `${dir}/desk`;

  const trials: Trial[] = [
    { block: 'jvs init lab\ncd' },
    {
      block: 'jvs init lab --import',
      prepare: () => {
        mkdirSync(`${dir}/other`);
        ada.cwd = `${dir}/other`;
      },
      check: () => {
        expect(readFileSync(`${dir}/other/lab/main/thesis.tex`, 'utf8')).toBe('To be written.');
        ada.cwd = `${dir}/desk/lab/main`;
      },
    },
    {
      block: 'jvs lock acquire',
      check: (printed) => {
        expect(printed).toContain('~ parameters.txt');
        expect(printed).toMatch(/ {2}slower learning\n.* {2}first parameters \[baseline\]\n/);
      },
    },
    { block: 'ls ../.jvs', check: (printed) => expect(printed.trim().split('\n')).toHaveLength(2) },
    { block: 'jvs restore HEAD~1', check: (printed) => expect(printed).toMatch(/^learning rate 0\.1$/m) },
    { block: 'jvs verify --all', check: (printed) => expect(printed).toContain('Repository is healthy.') },
    { block: "jvs snapshot 'nightly'", check: (printed) => expect(printed).toContain('see .error.code') },
  ];
  await follow('docs/guides/jvs-quickstart.md', 'bash', trials, world);
});

test(
  "the README's first steps work as they are written",
  { timeout: 120_000 },
  async ({ dir, ada, bob, saved: repo }) => {
    mkdirSync(`${dir}/desk`);
    mkdirSync(`${ada.home}/my-data`);
    writeFileSync(`${ada.home}/my-data/notes.txt`, 'notes\n');
    ada.cwd = `${dir}/desk`;
    const world = { dir, ada, bob, repo, reader: new Reader(dir, ada) };

    const trials: Trial[] = [
      { block: 'make build', skip: 'builds and installs this very program; the packed one is tried by npm test' },
      {
        block: 'jvs init project',
        check: (printed) => {
          expect(printed).toContain('~ notes.txt');
          expect(printed).toMatch(/ {2}with notes \[notes\]\n.* {2}as it was\n/);
          expect(printed).toMatch(/^Audit chain OK/m);
        },
      },
    ];
    await follow('README.md', 'sh', trials, world);
  },
);

const planIn = ({ reader }: World) => ({ '<id>': () => /^GC Plan: (\S+)$/m.exec(reader.output)?.[1] ?? '' });

const RECOVERY: Trial[] = [
  { block: 'jvs doctor ', check: (printed) => expect(printed).toContain('Lock: held (mine)') },
  {
    block: 'jvs doctor --repair-runtime',
    prepare: async ({ ada }) => {
      const killed = await ada.run(['snapshot'], { env: { JVS_FAILPOINT: 'publish:ready=kill' } });
      expect(killed.signal).toBe('SIGKILL');
      await ada.ok(['lock', 'release']);
    },
    check: (printed, { repo }) => {
      expect(printed).toContain('Repository is healthy.');
      expect(readdirSync(`${repo.control}/snapshots`)).toEqual([repo.id]);
    },
  },
  {
    block: 'jvs doctor --repair advance_head --dry-run',
    prepare: async ({ ada }) => {
      await ada.ok(['lock', 'acquire']);
      const killed = await ada.run(['snapshot', 'not the head'], { env: { JVS_FAILPOINT: 'publish:descriptor=kill' } });
      expect(killed.signal).toBe('SIGKILL');
      await ada.ok(['lock', 'release']);
    },
    check: async (printed, { ada }) => {
      expect(printed).toMatch(/^Would advance_head: /m);
      expect(await ada.ok(['history'])).toMatch(/ {2}not the head\n/);
    },
  },
  {
    block: 'jvs lock release',
    prepare: async ({ ada }) => {
      await ada.ok(['worktree', 'create', 'old']);
      await ada.ok(['lock', 'acquire']);
    },
    replace: (world) => ({ ...planIn(world), '<name>': 'old' }),
    check: (printed) => expect(printed).toContain("Removed worktree 'old'"),
  },
  {
    block: 'jvs lock status',
    prepare: async ({ bob, repo }) => {
      await bob.ok(['lock', 'acquire']);
      setHeartbeatBack(repo);
    },
    check: (printed) => expect(printed).toContain("Lock acquired on worktree 'main'"),
  },
  {
    block: 'jvs lock release --force',
    prepare: async ({ ada, bob }) => {
      await ada.ok(['lock', 'release']);
      await bob.ok(['lock', 'acquire']);
    },
    check: async (_printed, { bob }) => {
      await bob.fails(['snapshot'], 'E_LOCK_NOT_HELD');
    },
  },
  { block: 'jvs lock acquire --wait', check: (printed) => expect(printed).toContain('Created snapshot ') },
  {
    block: 'jvs audit show --operation restore',
    prepare: async ({ ada, repo }) => {
      await ada.ok(['restore', repo.id, '--inplace', '--force', '--reason', 'to try it']);
    },
    replace: ({ repo }) => ({ '/path/to/repo': repo.root }),
    check: (printed) => {
      expect(printed).toContain('to try it');
      expect(printed).toMatch(/^hello\.txt$/m);
    },
  },
  { block: 'jvs verify --all', check: (printed) => expect(printed).toContain('Repository is healthy.') },
];

test('the recovery guide works as it is written', { timeout: 240_000 }, async ({ dir, ada, bob, saved: repo }) => {
  const world = { dir, ada, bob, repo, reader: new Reader(dir, ada) };
  const collection: Trial = { block: 'jvs gc run --plan-id', skip: 'wants an old repository: the next test has one' };

  await follow('docs/guides/recovery.md', 'bash', [...RECOVERY, collection], world);
});

test.for(['--plan-id', '--abandon'])(
  'an interrupted collection ends as the recovery guide says: %s',
  async (flag, { dir, ada }) => {
    const { main } = writeLargeRepository(`${dir}/repo`, {
      worktrees: [
        { name: 'main', snapshots: 1 },
        { name: 'side', snapshots: 2, removed: true },
      ],
    });
    ada.cwd = main;
    const { plan_id: plan } = await ada.json<{ plan_id: string }>(['gc', 'plan']);
    const killed = await ada.run(['gc', 'run', '--plan-id', plan], { env: { JVS_FAILPOINT: 'gc:tombstone=kill' } });
    expect(killed.signal).toBe('SIGKILL');
    const lines = (blocksIn('docs/guides/recovery.md', 'bash').at(-1) ?? '').split('\n');

    const printed = new Reader(dir, ada).type(lines.find((line) => line.includes(flag)) ?? '', { '<id>': plan });

    expect(printed).toMatch(/^GC (completed|abandoned): \d deleted/m);
    expect((await ada.run(['verify', '--all'])).exitCode).toBe(0);
  },
);

describe('migration and backup', () => {
  test.runIf(hasProgram('rsync'))(
    'work as they are written',
    { timeout: 120_000 },
    async ({ dir, ada, bob, saved: repo }) => {
      const world = { dir, ada, bob, repo, reader: new Reader(dir, ada) };
      mkdirSync(`${dir}/backups`);
      const killed = await ada.run(['snapshot'], { env: { JVS_FAILPOINT: 'publish:clone=kill' } });
      expect(killed.signal).toBe('SIGKILL');
      ada.cwd = dir;

      const trials: Trial[] = [
        {
          block: 'rsync -aHAX',
          replace: () => ({ 'project/ backup:/srv/backups/project/': `repo/ ${dir}/backups/project/` }),
          check: () => {
            const control = `${dir}/backups/project/.jvs`;
            expect(readdirSync(control)).not.toEqual(
              expect.arrayContaining([expect.stringMatching(/^(intents|locks|tmp|reserve)$/)]),
            );
            expect(readdirSync(`${control}/snapshots`)).toEqual([repo.id]);
          },
        },
        { block: 'juicefs sync', skip: 'wants two volumes; conformance/two-hosts has one' },
        {
          block: 'cd /srv/backups/project',
          prepare: async () => {
            await ada.at(repo.main).ok(['lock', 'release']);
            rmSync(`${repo.root}`, { recursive: true });
          },
          replace: () => ({ '/srv/backups/project': `${dir}/backups/project` }),
          check: (printed) => {
            expect(printed).toContain('Repository is healthy.');
            expect(printed).toMatch(new RegExp(`^${repo.id} {2}OK$`, 'm'));
          },
        },
      ];
      await follow('docs/guides/migration-and-backup.md', 'bash', trials, world);

      const copy = ada.at(`${dir}/backups/project/main`);
      await copy.ok(['lock', 'release', '--force', '--reason', 'copied']);
      appendFileSync(`${copy.cwd}/hello.txt`, 'again\n');
      await copy.ok(['snapshot', 'from the copy', '--lock']);
      expect(await copy.ok(['history'])).toMatch(/ {2}from the copy\n.* {2}first\n/);
    },
  );
});

describe('the library guide', () => {
  /** Runs a module where only the library is installed. */
  function runWithLibrary(dir: string, module: string): string {
    mkdirSync(`${dir}/node_modules/@jvs`, { recursive: true });
    const library = fileURLToPath(new URL('../../packages/core-repo', import.meta.url));
    symlinkSync(library, `${dir}/node_modules/@jvs/core-repo`);
    writeFileSync(`${dir}/example.mjs`, module);
    const env = { PATH: process.env['PATH'], TMPDIR: mkdtempSync(`${dir}/tmp-`) };
    const printed = execFileSync(process.execPath, [`${dir}/example.mjs`], { cwd: dir, encoding: 'utf8', env });
    expect(readdirSync(env.TMPDIR)).toEqual([]);
    return printed;
  }

  test('has a program that runs, and prints what it says', { timeout: 60_000 }, ({ dir }) => {
    const [program = ''] = blocksIn('docs/guides/library.md', 'js');
    const [expected = ''] = blocksIn('docs/guides/library.md', 'text');

    expect(runWithLibrary(dir, program)).toBe(expected);
  });

  test('names every function that the library has, and no other', ({ dir }) => {
    const guide = readFileSync(fileURLToPath(new URL('../../docs/guides/library.md', import.meta.url)), 'utf8');
    const module = "import * as library from '@jvs/core-repo'; console.log(Object.keys(library).join(' '));";

    const functions = runWithLibrary(dir, module)
      .trim()
      .split(' ')
      .filter((name) => /^[a-z]/.test(name));
    const named = new Set([...guide.matchAll(/`([a-zA-Z]+)\(/g)].map(([, name]) => name));

    expect([...named].toSorted()).toEqual(functions.toSorted());
  });
});
