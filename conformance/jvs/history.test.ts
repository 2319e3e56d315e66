import { readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';

import { test, type CliError, type Descriptor, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

interface Entry extends Descriptor {
  risk_labels: string[];
}

const idsOf = (entries: Descriptor[]) => entries.map(({ snapshot_id: id }) => id);

async function snapshot(user: User, ...args: string[]): Promise<string> {
  return (await user.json<Descriptor>(['snapshot', ...args])).snapshot_id;
}

describe('history', () => {
  test('is a line a snapshot, newest first, with tags and risks', async ({ saved, ada }) => {
    const second = await snapshot(ada, 'two\nlines', '--tag', 'v1', '--tag', 'v2');
    const third = await snapshot(ada, '', '--consistency', 'best_effort');

    const lines = (await ada.ok(['history'])).trimEnd().split('\n');

    const time = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d';
    expect(lines[0]).toMatch(new RegExp(`^${third}  ${time}  \\(no note\\) \\[best_effort\\]$`));
    expect(lines[1]).toMatch(new RegExp(`^${second}  ${time}  two \\[v1\\] \\[v2\\]$`));
    expect(lines[2]).toMatch(new RegExp(`^${saved.id}  ${time}  first$`));
    expect((await ada.json<Entry[]>(['history'])).map(({ risk_labels }) => risk_labels)).toEqual([
      ['best_effort'],
      [],
      [],
    ]);
  });

  test('-n takes the newest so many, after the other filters', async ({ saved, ada }) => {
    const tagged = await snapshot(ada, 'x', '--tag', 'keep');
    await snapshot(ada, 'y');

    expect(idsOf(await ada.json<Entry[]>(['history', '-n', '1', '--tag', 'keep']))).toEqual([tagged]);
    expect(idsOf(await ada.json<Entry[]>(['history', '--limit', '1', '--grep', '^first$']))).toEqual([saved.id]);
    expect(await ada.json(['history', '-n', '0'])).toEqual([]);
  });

  test('of a filter that nothing fits says that, and is an empty array', async ({ saved, ada }) => {
    ada.cwd = saved.main;
    expect(await ada.ok(['history', '--tag', 'none'])).toBe('No snapshot matches.\n');
    expect(await ada.json(['history', '--grep', 'nothing'])).toEqual([]);
  });

  test('of a new worktree is empty', async ({ repo, ada }) => {
    expect(repo.main).toBe(ada.cwd);
    expect(await ada.ok(['history'])).toBe('No snapshots yet.\n');
  });

  test('a pattern that is none is a usage error, before anything is printed', async ({ saved, ada }) => {
    ada.cwd = saved.main;
    const result = await ada.run(['history', '--grep', '(']);

    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(result.stderr).toContain('E_USAGE');
  });

  test('--all knows the snapshots of every worktree, of removed ones too', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'side', '--from', saved.id]);
    const side = ada.at(`${saved.root}/worktrees/side`);
    await side.ok(['lock', 'acquire']);
    writeFileSync(`${saved.root}/worktrees/side/new`, 'x');
    const there = await snapshot(side, 'on the side');
    await side.ok(['lock', 'release']);
    const here = await snapshot(ada, 'on main');

    expect(idsOf(await ada.json<Entry[]>(['history']))).toEqual([here, saved.id]);
    expect(idsOf(await ada.at(saved.root).json<Entry[]>(['history', '--all']))).toEqual([here, there, saved.id]);
    await ada.ok(['worktree', 'remove', 'side', '--force']);
    expect(idsOf(await ada.json<Entry[]>(['history', '--all']))).toEqual([here, there, saved.id]);
  });

  test('reads no more descriptors than it shows', async ({ saved, ada }) => {
    const newest = [await snapshot(ada, 'b'), await snapshot(ada, 'c')].toReversed();
    // Older ones that cannot be read are never met.
    renameSync(`${saved.control}/descriptors/${saved.id}.json`, `${saved.control}/descriptors/aside`);

    expect(idsOf(await ada.json<Entry[]>(['history', '-n', '2']))).toEqual(newest);
    expect((await ada.run(['history', '-n', '3'])).exitCode).toBe(1);
  });

  test('shows names that could steer a terminal as what they are', async ({ saved, ada }) => {
    ada.cwd = saved.main;
    await snapshot(ada, 'red \u001b[31m text');

    expect(await ada.ok(['history', '-n', '1'])).toContain('red \\x1b[31m text');
  });
});

describe('at a gap', () => {
  test('history prints what it has and exits 1 with E_LINEAGE_BROKEN, in JSON beside the error', async ({
    saved,
    ada,
  }) => {
    const second = await snapshot(ada, 'second');
    unlinkSync(`${saved.control}/descriptors/${saved.id}.json`);

    const human = await ada.run(['history']);
    const json = await ada.run(['--json', 'history']);

    expect(human.exitCode).toBe(1);
    expect(human.stdout).toMatch(new RegExp(`^${second}  `));
    expect(human.stderr).toContain('jvs: E_LINEAGE_BROKEN: ');
    expect(json.exitCode).toBe(1);
    const document = JSON.parse(json.stdout) as { snapshots: Entry[]; error: CliError };
    expect(idsOf(document.snapshots)).toEqual([second]);
    expect(document.error.code).toBe('E_LINEAGE_BROKEN');
  });
});

describe('snapshot expressions', () => {
  test('a full id, HEAD, HEAD~n, <worktree>:HEAD, the start of an id, the start of its random part', async ({
    saved,
    ada,
  }) => {
    const head = await snapshot(ada, 'second');
    const expected: [string, string][] = [
      [head, head],
      ['HEAD', head],
      ['HEAD~0', head],
      ['HEAD~1', saved.id],
      ['main:HEAD', head],
      ['main:HEAD~1', saved.id],
      [head.slice(14), head],
      [saved.id.slice(14, 20), saved.id],
    ];

    const found: [string, string][] = [];
    for (const [expression] of expected) {
      const { snapshot_id } = await ada.json<Descriptor>(['verify', expression, '--no-payload']);
      found.push([expression, snapshot_id]);
    }

    expect(found).toEqual(expected);
    expect(await ada.at(saved.root).json(['verify', 'main:HEAD'])).toMatchObject({ snapshot_id: head });
    await ada.fails(['verify', 'HEAD~2'], 'E_NOT_FOUND');
    await ada.at(saved.root).fails(['verify', 'HEAD'], 'E_NOT_FOUND');
    await ada.fails(['verify', 'nobody:HEAD'], 'E_NOT_FOUND');
  });

  test('an exact ref comes before the start of an id', async ({ saved, ada }) => {
    const head = await snapshot(ada, 'second');
    await ada.ok(['ref', 'create', head.slice(14), saved.id]);

    expect(await ada.json(['verify', head.slice(14)])).toMatchObject({ snapshot_id: saved.id });
  });

  test('several that fit are E_AMBIGUOUS_ID with the list; too few characters fit nothing', async ({ saved, ada }) => {
    const second = await snapshot(ada, 'second');
    const common = saved.id.slice(0, 6);
    expect(second.startsWith(common)).toBe(true);

    const error = await ada.fails(['verify', common], 'E_AMBIGUOUS_ID');

    expect(error.details['ids']).toEqual([saved.id, second]);
    expect(error.message).toContain(saved.id);
    await ada.fails(['verify', saved.id.slice(0, 5)], 'E_NOT_FOUND');
    await ada.fails(['verify', saved.id.slice(14, 17)], 'E_NOT_FOUND');
  });
});

test('reading commands leave no trace in the repository', async ({ saved, ada }) => {
  const before = listing(saved.control);
  for (const args of [['history'], ['history', '--all'], ['diff'], ['status'], ['verify'], ['audit', 'export']]) {
    await ada.ok(args);
  }

  expect(listing(saved.control)).toEqual(before);
});

function listing(control: string): string[] {
  return readdirSync(control, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== 'locks/probe' && name !== 'locks')
    .map((name) => {
      const stats = statSync(`${control}/${name}`);
      return `${name} ${stats.isFile() ? readFileSync(`${control}/${name}`).length : ''} ${stats.mtimeMs}`;
    })
    .toSorted();
}
