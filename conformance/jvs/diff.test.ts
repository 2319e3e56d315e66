import { Buffer } from 'node:buffer';
import { chmodSync, mkdirSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';

import {
  below,
  test,
  writePayload,
  type Descriptor,
  type RepositoryFiles,
  type SavedRepository,
  type User,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

interface Diff {
  from: string | null;
  to: string;
  added: string[];
  removed: string[];
  modified: string[];
  mode_changed: string[];
  type_changed: string[];
  totals: Record<string, number>;
}

/** Of a payload that holds `hello.txt` (6 bytes), one change of each kind but removal, which {@link removeAndRename} makes. */
function changeEverything(repo: RepositoryFiles): void {
  writeFileSync(`${repo.main}/hello.txt`, 'hello again\n');
  writeFileSync(`${repo.main}/keep`, 'kept\n');
  writeFileSync(`${repo.main}/gone`, 'gone');
  writeFileSync(`${repo.main}/mode`, 'm');
  writeFileSync(`${repo.main}/type`, 't');
}

function removeAndRename(repo: RepositoryFiles): void {
  unlinkSync(`${repo.main}/gone`);
  chmodSync(`${repo.main}/mode`, 0o600);
  unlinkSync(`${repo.main}/type`);
  mkdirSync(`${repo.main}/type`);
  writeFileSync(`${repo.main}/type/inside`, '12345');
  writeFileSync(`${repo.main}/hello.txt`, 'hello AGAIN\n');
}

/** The ids of two snapshots that differ in every way. */
async function twoSnapshots(saved: SavedRepository, ada: User): Promise<{ a: string; b: string }> {
  changeEverything(saved);
  const a = (await ada.json<Descriptor>(['snapshot', 'a'])).snapshot_id;
  removeAndRename(saved);
  const b = (await ada.json<Descriptor>(['snapshot', 'b'])).snapshot_id;
  return { a, b };
}

const EXPECTED = {
  added: ['type/inside'],
  removed: ['gone'],
  modified: ['hello.txt'],
  mode_changed: ['mode'],
  type_changed: ['type'],
};
// gone 4 + hello.txt 12 + mode 1 + type 1; hello.txt 12 + mode 1 + type/inside 5.
const TOTALS = {
  added: 1,
  removed: 1,
  modified: 1,
  mode_changed: 1,
  type_changed: 1,
  bytes_before: 18,
  bytes_after: 18,
};

describe('diff of two snapshots', () => {
  test('names each kind of change, by path', async ({ saved, ada }) => {
    const { a, b } = await twoSnapshots(saved, ada);

    expect(await ada.json(['diff', a, b])).toEqual({ from: a, to: b, ...EXPECTED, totals: TOTALS });
    expect(await ada.ok(['diff', a, b])).toBe(
      [
        '- gone',
        '~ hello.txt',
        'm mode',
        't type',
        '+ type/inside',
        '',
        '1 added, 1 removed, 1 modified, 1 mode changed, 1 type changed; 18 B -> 18 B.',
        '',
      ].join('\n'),
    );
  });

  test('the other way round names the opposite', async ({ saved, ada }) => {
    const { a, b } = await twoSnapshots(saved, ada);

    expect(await ada.json(['diff', b, a])).toMatchObject({ added: ['gone'], removed: ['type/inside'] });
  });

  test('takes every way of naming one, from anywhere in the repository', async ({ saved, ada }) => {
    const { a, b } = await twoSnapshots(saved, ada);

    expect(await ada.json(['diff', 'HEAD~1', 'HEAD'])).toMatchObject({ from: a, to: b });
    expect(await ada.at(saved.root).json(['diff', 'main:HEAD~1', b.slice(0, 18)])).toMatchObject({ from: a, to: b });
    expect(await ada.at(saved.root).json(['diff', 'HEAD~1', 'HEAD', '--worktree', 'main'])).toMatchObject({ to: b });
  });

  test('of one and itself is empty', async ({ saved, ada }) => {
    ada.cwd = saved.main;
    expect(await ada.ok(['diff', 'HEAD', 'HEAD'])).toBe('Nothing differs.\n');
    expect((await ada.run(['diff', 'HEAD', 'HEAD', '--exit-code'])).exitCode).toBe(0);
  });

  test('reads the manifests alone', async ({ saved, ada }) => {
    const { a, b } = await twoSnapshots(saved, ada);
    for (const id of [a, b]) {
      rmSync(`${saved.control}/snapshots/${id}/hello.txt`);
      rmSync(`${saved.main}`, { recursive: true, force: true });
    }

    expect(await ada.at(saved.root).json(['diff', a, b])).toMatchObject(EXPECTED);
  });

  test('refuses a damaged or lost manifest', async ({ saved, ada }) => {
    const { a, b } = await twoSnapshots(saved, ada);
    writeFileSync(`${saved.control}/manifests/${b}.manifest`, `dir 0755 - - x\n`);
    await ada.fails(['diff', a, b], 'E_PAYLOAD_HASH_MISMATCH');
    unlinkSync(`${saved.control}/manifests/${b}.manifest`);
    const error = await ada.fails(['diff', a, b], 'E_PAYLOAD_HASH_MISMATCH');

    expect(error.hint).toContain('--repair-runtime');
  });

  test('refuses what is no snapshot', async ({ saved, ada }) => {
    ada.cwd = saved.main;
    await ada.fails(['diff', '1771578748123-0a1b2c3d', 'HEAD'], 'E_NOT_FOUND');
    await ada.fails(['diff', 'HEAD', 'nobody'], 'E_NOT_FOUND');
  });
});

describe('diff against the payload', () => {
  test('with one argument compares it, with none the head', async ({ saved, ada }) => {
    const { a, b } = await twoSnapshots(saved, ada);
    writeFileSync(`${saved.main}/later`, 'x');

    expect(await ada.json(['diff'])).toMatchObject({ from: b, to: 'main', added: ['later'], removed: [] });
    const { totals: _totals, ...found } = await ada.json<Diff>(['diff', a]);
    expect(found).toEqual({ from: a, to: 'main', ...EXPECTED, added: ['later', 'type/inside'] });
  });

  test('before the first snapshot everything is new', async ({ repo, ada }) => {
    writePayload(repo.main, 'M1');

    expect(await ada.json(['diff'])).toMatchObject({ from: null, to: 'main', added: ['hello.txt'] });
  });

  test('a touched file that holds the same is no change; one of equal size and time that does not is', async ({
    saved,
    ada,
  }) => {
    utimesSync(`${saved.main}/hello.txt`, 1, 1);
    expect(await ada.ok(['diff'])).toBe('Nothing differs.\n');

    writeFileSync(`${saved.main}/hello.txt`, 'hellO\n');
    utimesSync(`${saved.main}/hello.txt`, 1, 1);
    expect(await ada.json(['diff'])).toMatchObject({ modified: ['hello.txt'] });
  });

  test('another target of a symlink is another content', async ({ saved, ada }) => {
    symlinkSync('here', `${saved.main}/link`);
    await ada.ok(['snapshot']);
    unlinkSync(`${saved.main}/link`);
    symlinkSync('away', `${saved.main}/link`);

    expect(await ada.json(['diff'])).toMatchObject({ modified: ['link'] });
  });

  test('names that are no text are shown in display form', async ({ saved, ada }) => {
    writeFileSync(below(saved.main, Buffer.from([0xff, 0x0a])), '');

    expect(await ada.json(['diff'])).toMatchObject({ added: ['\\xff\\n'] });
    expect(await ada.ok(['diff'])).toContain('+ \\xff\\n\n');
  });

  test('outside of a worktree says so', async ({ saved, ada }) => {
    await ada.at(saved.root).fails(['diff'], 'E_NOT_IN_WORKTREE');
    expect(await ada.at(saved.root).json(['diff', '--worktree', 'main'])).toMatchObject({ to: 'main' });
  });
});

describe('flags of diff', () => {
  test('--exit-code is 1 exactly when something differs, whatever the output', async ({ saved, ada }) => {
    await twoSnapshots(saved, ada);

    for (const json of [[], ['--json']]) {
      expect((await ada.run([...json, 'diff', 'HEAD~1', 'HEAD', '--exit-code'])).exitCode).toBe(1);
      expect((await ada.run([...json, 'diff', 'HEAD~1', 'HEAD'])).exitCode).toBe(0);
      expect((await ada.run([...json, 'diff', '--exit-code'])).exitCode).toBe(0);
    }
  });

  test('--stat shows sizes before and after, aligned', async ({ saved, ada }) => {
    const { a, b } = await twoSnapshots(saved, ada);

    const lines = (await ada.ok(['diff', a, b, '--stat'])).split('\n');

    expect(lines.slice(0, 5)).toEqual([
      '- gone         4 B   ->  -     -4 B',
      '~ hello.txt    12 B  ->  12 B',
      'm mode         1 B   ->  1 B',
      't type         1 B   ->  -     -1 B',
      '+ type/inside  -     ->  5 B   +5 B',
    ]);
    expect(await ada.json(['diff', a, b, '--stat'])).toMatchObject({
      stat: [
        { path: 'gone', change: 'removed', bytes_before: 4, bytes_after: null },
        { path: 'hello.txt', change: 'modified', bytes_before: 12, bytes_after: 12 },
        { path: 'mode', change: 'mode_changed', bytes_before: 1, bytes_after: 1 },
        { path: 'type', change: 'type_changed', bytes_before: 1, bytes_after: null },
        { path: 'type/inside', change: 'added', bytes_before: null, bytes_after: 5 },
      ],
    });
  });
});

describe('status', () => {
  test('has the fields of diff, and is not clean', async ({ saved, ada }) => {
    const { b } = await twoSnapshots(saved, ada);
    expect(await ada.json(['status'])).toMatchObject({ clean: true, from: b, to: 'main', head_snapshot_id: b });

    writeFileSync(`${saved.main}/later`, 'x');

    expect(await ada.json(['status'])).toMatchObject({ clean: false, from: b, added: ['later'], totals: { added: 1 } });
  });

  test('--short prints the paths and nothing else', async ({ saved, ada }) => {
    changeEverything(saved);

    expect(await ada.ok(['status', '--short'])).toBe('gone\nhello.txt\nkeep\nmode\ntype\n');
  });

  test('--exit-code is 1 exactly when something changed', async ({ saved, ada }) => {
    expect((await ada.run(['status', '--exit-code'])).exitCode).toBe(0);
    writeFileSync(`${saved.main}/later`, 'x');
    expect((await ada.run(['status', '--exit-code'])).exitCode).toBe(1);
    expect((await ada.run(['status'])).exitCode).toBe(0);
  });
});
