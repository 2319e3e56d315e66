import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

import { auditRecords, readJson, test, type Descriptor, type RepositoryFiles } from '@jvs/testkit';
import { describe } from 'vitest';

import { sha256 } from './canonical.ts';

interface Ref {
  ref_name: string;
  snapshot_id: string;
  created_at: string;
  created_by: string;
  note: string;
  event_id: string;
}

function refFiles({ control }: RepositoryFiles, name: string): string[] {
  return readdirSync(`${control}/refs/${name}`).map((file) => `${control}/refs/${name}/${file}`);
}

describe.concurrent('a ref', () => {
  test('is a directory with one file, named for its event, and that event is recorded', async ({
    saved,
    ada,
    expect,
  }) => {
    const out = await ada.ok(['ref', 'create', 'good', saved.id, '--note', 'known to work']);

    expect(out).toBe(`Created ref 'good' -> ${saved.id}\n`);
    const [file = '', ...others] = refFiles(saved, 'good');
    expect(others).toEqual([]);
    const ref = readJson<Ref>(file);
    expect(Object.keys(ref)).toEqual(['ref_name', 'snapshot_id', 'created_at', 'created_by', 'note', 'event_id']);
    expect(ref).toMatchObject({ ref_name: 'good', snapshot_id: saved.id, note: 'known to work' });
    expect(file).toBe(`${saved.control}/refs/good/${ref.event_id}.json`);
    expect(auditRecords(saved).at(-1)).toMatchObject({
      operation: 'ref_create',
      event_id: ref.event_id,
      target: 'good',
      snapshot_id: saved.id,
      details: { object_sha256: sha256(readFileSync(file)) },
    });
    await ada.ok(['doctor', '--strict']);
  });

  test('stands for its snapshot in every command', async ({ saved, ada, expect }) => {
    await ada.ok(['snapshot', 'second']);
    const made = await ada.json<Ref>(['ref', 'create', 'start', 'HEAD~1']);
    expect(made.snapshot_id).toBe(saved.id);

    expect((await ada.json<{ snapshot_id: string }>(['verify', 'start'])).snapshot_id).toBe(saved.id);
    await ada.ok(['worktree', 'create', 'again', '--from', 'start']);
    expect((await ada.json<Ref>(['ref', 'create', 'copy', 'start'])).snapshot_id).toBe(saved.id);
  });

  test('is listed with its note, sorted by name', async ({ saved, ada, expect }) => {
    expect(await ada.json<Ref[]>(['ref', 'list'])).toEqual([]);
    expect(await ada.ok(['ref', 'list'])).toBe('');
    await ada.ok(['ref', 'create', 'b', saved.id, '--note', 'two words']);
    await ada.ok(['ref', 'create', 'a', saved.id]);

    expect(await ada.ok(['ref', 'list'])).toBe(`a  ${saved.id}  (no note)\nb  ${saved.id}  two words\n`);
    expect((await ada.json<Ref[]>(['ref', 'list'])).map(({ ref_name: name }) => name)).toEqual(['a', 'b']);
  });

  test('is deleted on record, and its name is free again', async ({ saved, ada, expect }) => {
    const first = await ada.json<Ref>(['ref', 'create', 'good', saved.id]);

    expect(await ada.ok(['ref', 'delete', 'good'])).toBe("Deleted ref 'good'\n");

    expect(readdirSync(`${saved.control}/refs`)).toEqual([]);
    expect(auditRecords(saved).at(-1)).toMatchObject({
      operation: 'ref_delete',
      target: 'good',
      details: { object_event_id: first.event_id },
    });
    const second = await ada.json<Ref>(['ref', 'create', 'good', saved.id]);
    expect(second.event_id).not.toBe(first.event_id);
    expect(await ada.json(['ref', 'delete', 'good'])).toEqual({ deleted: 'good' });
    await ada.ok(['audit', 'verify']);
  });

  test('is made in a directory that a deletion left empty', async ({ saved, ada, expect }) => {
    mkdirSync(`${saved.control}/refs/good`);

    expect(await ada.json<Ref[]>(['ref', 'list'])).toEqual([]);
    mkdirSync(`${saved.control}/refs/good`, { recursive: true });
    await ada.ok(['ref', 'create', 'good', saved.id]);

    expect(refFiles(saved, 'good')).toHaveLength(1);
  });
});

describe.concurrent('a ref is refused', () => {
  test('where the name is taken, without regard to case', async ({ saved, ada, bob, expect }) => {
    await ada.ok(['ref', 'create', 'Good', saved.id]);

    for (const name of ['Good', 'good', 'GOOD']) await bob.fails(['ref', 'create', name, saved.id], 'E_EXISTS');

    expect(readdirSync(`${saved.control}/refs`)).toEqual(['Good']);
  });

  const names = [
    'a..b',
    '.hidden',
    'HEAD',
    '1771578748123-0a1b2c3d',
    'a/b',
    '..',
    '',
    'x.tmp',
    'é',
    'a b',
    'x'.repeat(129),
  ];
  test.for(names)('for the name "%s"', async (name, { saved, ada, expect }) => {
    const error = await ada.fails(['ref', 'create', '--', name, saved.id], 'E_NAME_INVALID');
    await ada.fails(['ref', 'delete', '--', name], 'E_NAME_INVALID');

    expect(error.details['kind']).toBe('ref');
    expect(readdirSync(`${saved.control}/refs`)).toEqual([]);
  });

  test('to what is no visible snapshot', async ({ saved, ada, expect }) => {
    await ada.fails(['ref', 'create', 'good', '1771578748123-0a1b2c3d'], 'E_NOT_FOUND');
    const { snapshot_id: open } = await openSnapshot(saved);
    await ada.fails(['ref', 'create', 'good', open], 'E_PARTIAL_SNAPSHOT');

    expect(readdirSync(`${saved.control}/refs`)).toEqual([]);
    expect(auditRecords(saved).at(-1)?.operation).toBe('snapshot');

    async function openSnapshot({ control }: RepositoryFiles): Promise<Descriptor> {
      const next = await ada.json<Descriptor>(['snapshot', 'next']);
      const intent = {
        snapshot_id: next.snapshot_id,
        worktree_id: next.worktree_id,
        parent_snapshot_id: saved.id,
        fencing_token: 2,
        commit_seq: 99,
        engine: 'copy',
        holder_id: 'x:x:1:1',
        boot_id: '11111111-2222-4333-8444-555555555555',
        started_at: '2026-02-20T09:12:28.000Z',
      };
      writeFileSync(`${control}/intents/${next.snapshot_id}.json`, JSON.stringify(intent));
      return next;
    }
  });

  test('for deletion where there is none', async ({ saved, ada, expect }) => {
    await ada.fails(['ref', 'delete', 'good'], 'E_NOT_FOUND');

    expect(auditRecords(saved).at(-1)?.operation).toBe('snapshot');
  });
});

test('of eight creations of one name one wins', async ({ saved, ada, expect }) => {
  const results = await Promise.all(
    Array.from({ length: 8 }, async () => ada.run(['--json', 'ref', 'create', 'good', saved.id])),
  );

  expect(results.filter(({ exitCode }) => exitCode === 0)).toHaveLength(1);
  for (const { stderr } of results.filter(({ exitCode }) => exitCode !== 0)) expect(stderr).toContain('E_EXISTS');
  expect(refFiles(saved, 'good')).toHaveLength(1);
  await ada.ok(['audit', 'verify']);
});

test('creations and deletions of one name at once leave a whole ref or none, and a valid chain', async ({
  saved,
  ada,
  expect,
}) => {
  const work = Array.from({ length: 12 }, async (_, index) =>
    ada.run(index % 2 === 0 ? ['ref', 'create', 'good', saved.id] : ['ref', 'delete', 'good']),
  );
  const codes = (await Promise.all(work)).map(({ stderr }) => /E_[A-Z_]+/.exec(stderr)?.[0] ?? 'ok');

  for (const code of codes) expect(['ok', 'E_EXISTS', 'E_NOT_FOUND']).toContain(code);
  const events = auditRecords(saved).map(({ operation }) => operation);
  const left =
    events.filter((one) => one === 'ref_create').length - events.filter((one) => one === 'ref_delete').length;
  const refs = await ada.json<Ref[]>(['ref', 'list']);
  expect(refs.length).toBeLessThanOrEqual(1);
  // Two deletions may tell of the same ref.
  expect(left).toBeLessThanOrEqual(refs.length);
  await ada.ok(['doctor', '--strict']);
});
