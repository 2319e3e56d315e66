import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

import { auditRecords, readJson, repositoryAt, stateRecords, test, worktreeId, type Descriptor } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { hashWithout, pretty } from './canonical.ts';
import { D1 } from './vectors.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('a snapshot on disk', () => {
  test('is a browsable tree, a manifest, a descriptor and .READY, and nothing else', ({ saved }) => {
    expect(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
    expect(readdirSync(`${saved.control}/descriptors`)).toEqual([`${saved.id}.json`]);
    expect(readdirSync(`${saved.control}/manifests`)).toEqual([`${saved.id}.manifest`]);
    expect(readdirSync(`${saved.control}/snapshots/${saved.id}`).toSorted()).toEqual(['.READY', 'hello.txt']);
    expect(readFileSync(`${saved.control}/snapshots/${saved.id}/hello.txt`, 'utf8')).toBe('hello\n');
    expect(readdirSync(`${saved.control}/intents`)).toEqual([]);
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
  });

  test('never carries its marker into a worktree', async ({ saved, ada }) => {
    await ada.ok(['restore', saved.id, '--name', 'again']);

    expect(readdirSync(saved.main)).toEqual(['hello.txt']);
    expect(readdirSync(`${saved.root}/worktrees/again`)).toEqual(['hello.txt']);
  });

  test('descriptor: the fields of the format in their order, checksum over canonical bytes', ({ saved }) => {
    const bytes = readFileSync(`${saved.control}/descriptors/${saved.id}.json`, 'utf8');
    const descriptor = JSON.parse(bytes) as Descriptor;
    const [init, acquire] = auditRecords(saved);

    expect(Object.keys(descriptor)).toEqual(Object.keys(D1));
    expect(bytes).toBe(pretty(descriptor));
    expect(descriptor).toMatchObject({
      snapshot_id: saved.id,
      worktree_id: worktreeId(saved),
      worktree_name: 'main',
      parent_snapshot_id: null,
      note: 'first',
      tags: [],
      degradations: [],
      consistency_level: 'quiesced',
      fencing_token: 2,
      audit_anchor: acquire?.record_hash,
      integrity_state: 'verified',
      descriptor_checksum: {
        algo: 'sha256',
        value: hashWithout(descriptor, 'descriptor_checksum', 'integrity_state'),
      },
    });
    expect(descriptor.created_at).toMatch(TIME);
    expect(descriptor.created_by.split(':')).toHaveLength(4);
    expect(init?.operation).toBe('repo_init');
  });

  test('.READY: agrees with the descriptor', ({ saved }) => {
    const ready = readFileSync(`${saved.control}/snapshots/${saved.id}/.READY`, 'utf8');
    const descriptor = readJson<Descriptor>(`${saved.control}/descriptors/${saved.id}.json`);
    const { snapshot_id, created_at, engine, descriptor_checksum, payload_root_hash } = descriptor;

    expect(ready).toBe(pretty({ snapshot_id, created_at, engine, descriptor_checksum, payload_root_hash }));
  });

  test('id: creation time in ms and 32 random bits', ({ saved }) => {
    const { created_at } = readJson<Descriptor>(`${saved.control}/descriptors/${saved.id}.json`);

    expect(saved.id).toMatch(/^\d{13}-[0-9a-f]{8}$/);
    expect(Number(saved.id.slice(0, 13))).toBe(Date.parse(created_at));
  });

  test('intent: names the record that will commit it', async ({ saved, ada }) => {
    await ada.run(['snapshot'], { env: { JVS_FAILPOINT: 'publish:intent=kill' } });

    const [name = ''] = readdirSync(`${saved.control}/intents`);
    const bytes = readFileSync(`${saved.control}/intents/${name}`, 'utf8');
    const intent = JSON.parse(bytes) as Record<string, unknown>;
    expect(bytes).toBe(pretty(intent));
    expect(Object.keys(intent)).toEqual(
      'snapshot_id worktree_id parent_snapshot_id fencing_token commit_seq engine holder_id boot_id started_at'.split(
        ' ',
      ),
    );
    expect(intent).toMatchObject({
      worktree_id: worktreeId(saved),
      parent_snapshot_id: saved.id,
      fencing_token: 2,
      commit_seq: 4,
      boot_id: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    });
    expect(name).toBe(`${String(intent['snapshot_id'])}.json`);
  });
});

describe('format_version', () => {
  const commands = [
    ['info'],
    ['history'],
    ['snapshot'],
    ['lock', 'acquire'],
    ['verify'],
    ['doctor'],
    ['worktree', 'list'],
  ];

  test.for(commands)('a newer one is refused before anything else is read: %s', async (args, { repo, ada }) => {
    writeFileSync(`${repo.control}/format_version`, '2\n');
    writeFileSync(`${repo.control}/repo_id`, 'from the future');

    const error = await ada.fails(args, 'E_FORMAT_UNSUPPORTED');

    expect(error.hint).toBeTruthy();
    expect(stateRecords(repo)).toHaveLength(1);
  });

  test.for(['1', '01\n', '1\r\n', ' 1\n', '', 'one\n', '-1\n', '0\n'])(
    'anything else than "1 LF" is corruption: %j',
    async (bytes, { repo, ada }) => {
      writeFileSync(`${repo.control}/format_version`, bytes);

      await ada.fails(['info'], 'E_DESCRIPTOR_CORRUPT');
    },
  );
});

test('a repository is found by its .jvs, wherever it was moved', async ({ dir, saved, ada }) => {
  renameSync(saved.root, `${dir}/moved`);
  const moved = repositoryAt(`${dir}/moved`);

  expect(await ada.at(moved.main).json(['info'])).toMatchObject({ repo_root: moved.root, total_snapshots: 1 });
});
