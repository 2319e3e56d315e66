import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';

import {
  auditRecords,
  PAYLOAD_VECTORS,
  stateRecords,
  test,
  writePayload,
  type Descriptor,
  type SavedRepository,
  type User,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

interface Restored {
  mode: string;
  snapshot_id: string;
  worktree: string;
  path: string;
  content: string;
  previous_head: string | null;
  reason: string;
  kept: { path: string; until: string } | null;
  intruders: string[];
  totals?: Record<string, number>;
}

const FLAGS = ['--inplace', '--force', '--reason', 'bad import'];

/** A second snapshot, and work on top of it. */
async function goOn(saved: SavedRepository, ada: User): Promise<string> {
  writeFileSync(`${saved.main}/hello.txt`, 'second\n');
  writeFileSync(`${saved.main}/more`, 'more');
  const { snapshot_id } = await ada.json<Descriptor>(['snapshot', 'second']);
  writeFileSync(`${saved.main}/work`, 'in progress');
  return snapshot_id;
}

/** All names below the repository, with the times of their last change. */
function fingerprint(root: string): string[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name !== '.jvs/locks/probe');
  return names.toSorted().map((name) => `${name} ${lstatSync(`${root}/${name}`).ctimeMs}`);
}

describe('restore --inplace', () => {
  test('replaces the payload, moves the head, and keeps the old tree for a day', async ({ saved, ada }) => {
    const second = await goOn(saved, ada);
    const before = Date.now();

    const restored = await ada.json<Restored>(['restore', saved.id, ...FLAGS]);

    expect(restored).toMatchObject({
      mode: 'inplace',
      snapshot_id: saved.id,
      worktree: 'main',
      path: saved.main,
      content: 'verified',
      previous_head: second,
      reason: 'bad import',
      intruders: [],
    });
    expect(readdirSync(saved.main)).toEqual(['hello.txt']);
    expect(readFileSync(`${saved.main}/hello.txt`, 'utf8')).toBe('hello\n');
    expect(readdirSync(restored.kept?.path ?? '').toSorted()).toEqual(['hello.txt', 'more', 'work']);
    expect(Date.parse(restored.kept?.until ?? '') - before).toBeGreaterThanOrEqual(86_400_000 - 60_000);
    expect(await ada.json(['status'])).toMatchObject({
      clean: true,
      head_snapshot_id: saved.id,
      mine: true,
      pending: null,
    });
    expect(await ada.json<Descriptor[]>(['history'])).toMatchObject([{ snapshot_id: saved.id }]);
    expect((await ada.json<Descriptor[]>(['history', '--all'])).map(({ snapshot_id: id }) => id)).toContain(second);
  });

  test('says what was done, and how to get on', async ({ saved, ada }) => {
    const second = await goOn(saved, ada);

    const text = await ada.ok(['restore', saved.id, ...FLAGS]);

    expect(text).toContain(`Restored snapshot ${saved.id} to worktree 'main' (inplace)`);
    expect(text).toMatch(new RegExp(`Replaced tree kept until \\d{4}-.*Z: ${saved.control}/tmp/op-.*/old`));
    expect(text).toContain('cd .');
    expect(text).toContain(`jvs ref create <name> ${second}`);
  });

  test('is two state records and two audit records that tell everything', async ({ saved, ada }) => {
    const second = await goOn(saved, ada);

    await ada.ok(['restore', saved.id, ...FLAGS]);

    const [begun, ended] = stateRecords(saved).slice(-2);
    expect(begun).toMatchObject({
      kind: 'begin',
      head_snapshot_id: second,
      pending: { op: 'restore', snapshot_id: saved.id, reason: 'bad import' },
    });
    expect(ended).toMatchObject({ kind: 'end', head_snapshot_id: saved.id, pending: null });
    expect(ended?.lock).toEqual(begun?.lock);
    const events = auditRecords(saved).slice(-2);
    const common = { mode: 'inplace', previous_head: second, integrity: 'verified', holder_id: begun?.lock?.holder_id };
    const fencing_token = begun?.lock?.fencing_token;
    expect(events).toMatchObject([
      {
        operation: 'restore',
        target: 'main',
        reason: 'bad import',
        snapshot_id: saved.id,
        fencing_token,
        details: { phase: 'begin', ...common },
      },
      {
        operation: 'restore',
        target: 'main',
        reason: 'bad import',
        fencing_token,
        details: { phase: 'end', outcome: 'done', ...common },
      },
    ]);
    expect(events.map(({ event_id }) => event_id)).toEqual([begun?.event_id, ended?.event_id]);
    await ada.ok(['audit', 'verify']);
  });

  test('the next snapshot stands on the restored one', async ({ saved, ada }) => {
    await goOn(saved, ada);
    await ada.ok(['restore', saved.id, ...FLAGS]);

    expect(await ada.json(['snapshot', 'after'])).toMatchObject({ parent_snapshot_id: saved.id });
  });

  test('of the head itself throws changes away', async ({ saved, ada }) => {
    writeFileSync(`${saved.main}/hello.txt`, 'spoilt');

    const { previous_head } = await ada.json<Restored>(['restore', 'HEAD', ...FLAGS]);

    expect(previous_head).toBe(saved.id);
    expect(await ada.json(['status'])).toMatchObject({ clean: true, head_snapshot_id: saved.id });
    expect(auditRecords(saved).at(-1)?.details).toMatchObject({ outcome: 'done' });
  });

  test('brings back exactly the payload', async ({ repo, ada }) => {
    writePayload(repo.main, 'M2');
    await ada.ok(['lock', 'acquire']);
    const { snapshot_id } = await ada.json<Descriptor>(['snapshot']);
    const { mtimeMs } = statSync(`${repo.main}/bin/run.sh`);
    rmSync(`${repo.main}/bin`, { recursive: true });

    await ada.ok(['restore', snapshot_id, ...FLAGS]);

    const second = await ada.json<Descriptor>(['snapshot']);
    expect(second.payload_root_hash.value).toBe(PAYLOAD_VECTORS.M2.rootHash);
    expect(Math.abs(statSync(`${repo.main}/bin/run.sh`).mtimeMs - mtimeMs)).toBeLessThan(0.01);
    expect(lstatSync(`${repo.main}/bin/run.sh`).nlink).toBe(1);
  });

  test('brings a payload back that is missing', async ({ saved, ada }) => {
    rmSync(saved.main, { recursive: true });
    const outside = ada.at(saved.root);

    await outside.ok(['restore', saved.id, '--worktree', 'main', ...FLAGS]);

    expect(readdirSync(saved.main)).toEqual(['hello.txt']);
    expect(await outside.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
  });

  test('--discard keeps nothing', async ({ saved, ada }) => {
    await goOn(saved, ada);

    expect(await ada.json(['restore', saved.id, ...FLAGS, '--discard'])).toMatchObject({ kept: null });

    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });

  test('a long reason is kept as far as a record has room', async ({ saved, ada }) => {
    await ada.ok(['restore', 'HEAD', '--inplace', '--force', '--reason', 'why '.repeat(20_000)]);

    expect(auditRecords(saved).at(-1)).toMatchObject({ details: { truncated: true, outcome: 'done' } });
    await ada.ok(['audit', 'verify']);
  });
});

describe('restore --inplace is refused', () => {
  test('without --force or a reason, before anything is looked at', async ({ saved, bob }) => {
    for (const flags of [
      ['--inplace'],
      ['--inplace', '--force'],
      ['--inplace', '--reason', 'why'],
      ['--inplace', '--force', '--reason', ' '],
    ]) {
      const { exitCode, stderr } = await bob.run(['restore', saved.id, ...flags]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('jvs: E_USAGE: ');
    }
  });

  test('with flags that belong to another way of restoring', async ({ saved, ada }) => {
    const lines = [
      [...FLAGS, '--name', 'x'],
      [...FLAGS, '--path', 'hello.txt', '--to', '/tmp/x'],
      ['--discard'],
      ['--reason', 'why'],
      ['--path', 'hello.txt'],
      ['--to', '/tmp/x'],
    ];
    for (const line of lines) {
      const { exitCode } = await ada.run(['restore', saved.id, ...line]);
      expect({ line, exitCode }).toEqual({ line, exitCode: 2 });
    }
    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('without the lock, however much --force: the payload is untouched', async ({ saved, bob }) => {
    writeFileSync(`${saved.main}/hello.txt`, 'work in progress');

    await bob.fails(['restore', saved.id, ...FLAGS], 'E_LOCK_NOT_HELD');

    expect(readFileSync(`${saved.main}/hello.txt`, 'utf8')).toBe('work in progress');
    expect(stateRecords(saved)).toHaveLength(3);
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });

  test('with an old fencing token', async ({ saved, ada }) => {
    await ada.fails(['restore', saved.id, ...FLAGS], 'E_FENCING_MISMATCH', { env: { JVS_FENCING_TOKEN: '1' } });
  });

  test('of a snapshot whose contents were changed: nothing was replaced', async ({ saved, ada }) => {
    await goOn(saved, ada);
    const records = stateRecords(saved).length;
    writeFileSync(`${saved.control}/snapshots/${saved.id}/hello.txt`, 'hellO\n');

    const error = await ada.fails(['restore', saved.id, ...FLAGS], 'E_PAYLOAD_HASH_MISMATCH');

    expect(JSON.stringify(error)).toContain('hello.txt');
    expect(readFileSync(`${saved.main}/work`, 'utf8')).toBe('in progress');
    expect(stateRecords(saved)).toHaveLength(records);
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });

  test('of what is not visible, or not there', async ({ saved, ada }) => {
    await ada.run(['snapshot'], { env: { JVS_FAILPOINT: 'publish:descriptor=kill' } });
    const orphan = readdirSync(`${saved.control}/descriptors`).find((name) => !name.startsWith(saved.id)) ?? '';

    await ada.fails(['restore', orphan.replace('.json', ''), ...FLAGS], 'E_PARTIAL_SNAPSHOT');
    await ada.fails(['restore', '1771578748123-0a1b2c3d', ...FLAGS], 'E_NOT_FOUND');

    expect(readFileSync(`${saved.main}/hello.txt`, 'utf8')).toBe('hello\n');
  });
});

describe('restore --inplace with', () => {
  test('--no-verify reads nothing, and that is on record', async ({ saved, ada }) => {
    await goOn(saved, ada);
    writeFileSync(`${saved.control}/snapshots/${saved.id}/hello.txt`, 'hellO\n');

    expect(await ada.json(['restore', saved.id, ...FLAGS, '--no-verify'])).toMatchObject({ content: 'unread' });

    expect(readFileSync(`${saved.main}/hello.txt`, 'utf8')).toBe('hellO\n');
    expect(auditRecords(saved).at(-1)?.details).toMatchObject({ integrity: 'unread' });
  });

  test('--lock takes the lock for this command alone', async ({ saved, ada, bob }) => {
    await ada.ok(['lock', 'release']);

    await bob.ok(['restore', saved.id, ...FLAGS, '--lock']);

    expect(
      stateRecords(saved)
        .slice(-4)
        .map(({ kind }) => kind),
    ).toEqual(['acquire', 'begin', 'end', 'release']);
    expect(await bob.json(['lock', 'status'])).toMatchObject({ state: 'free' });
  });

  test("--lock does not get past another's lock", async ({ saved, bob }) => {
    await bob.fails(['restore', saved.id, ...FLAGS, '--lock'], 'E_LOCK_CONFLICT');
    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('--dry-run makes every check, tells what would change, and changes nothing', async ({ saved, ada, bob }) => {
    await goOn(saved, ada);
    await ada.ok(['status']);
    const before = fingerprint(saved.root);

    const foreseen = await ada.json<Restored & { dry_run: boolean }>(['restore', saved.id, ...FLAGS, '--dry-run']);
    const text = await ada.ok(['restore', saved.id, ...FLAGS, '--dry-run']);

    expect(foreseen).toMatchObject({
      dry_run: true,
      mode: 'inplace',
      snapshot_id: saved.id,
      kept: null,
      totals: { added: 0, removed: 2, modified: 1, mode_changed: 0, type_changed: 0 },
    });
    expect(
      text
        .trim()
        .split('\n')
        .every((line) => line.startsWith('Would ')),
    ).toBe(true);
    expect(text).toContain("Would replace: worktree 'main'");
    expect(text).toContain('2 removed, 1 modified');
    expect(fingerprint(saved.root)).toEqual(before);
    await bob.fails(['restore', saved.id, ...FLAGS, '--dry-run'], 'E_LOCK_NOT_HELD');
    writeFileSync(`${saved.control}/snapshots/${saved.id}/hello.txt`, 'hellO\n');
    await ada.fails(['restore', saved.id, ...FLAGS, '--dry-run'], 'E_PAYLOAD_HASH_MISMATCH');
  });
});

test('a lock that is lost while the tree is prepared stops before anything is replaced', async ({
  saved,
  ada,
  bob,
}) => {
  await goOn(saved, ada);
  const author = ada.start(['restore', saved.id, ...FLAGS], { env: { JVS_FAILPOINT: 'restore:opdir=stop' } });
  await author.stopped();
  await bob.ok(['lock', 'release', '--force', '--reason', 'a test']);

  author.resume();
  const { exitCode, stderr } = await author.result;

  expect(exitCode).toBe(1);
  expect(stderr).toContain('E_FENCING_MISMATCH');
  expect(readFileSync(`${saved.main}/work`, 'utf8')).toBe('in progress');
  expect(existsSync(`${saved.control}/tmp`) && readdirSync(`${saved.control}/tmp`)).toEqual([]);
});
