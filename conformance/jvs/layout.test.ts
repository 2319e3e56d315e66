import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import {
  auditRecords,
  below,
  readJson,
  repositoryAt,
  slot,
  stateLog,
  stateRecords,
  test,
  worktreeId,
  writePayload,
  type Descriptor,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { canonical, hashWithout, pretty, sha256 } from './canonical.ts';
import { D1 } from './vectors.ts';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('init', () => {
  test('makes format_version "1 LF" and repo_id "UUID v4 LF"', ({ repo }) => {
    expect(readFileSync(`${repo.control}/format_version`, 'utf8')).toBe('1\n');
    expect(readFileSync(`${repo.control}/repo_id`, 'utf8').replace(/\n$/, '')).toMatch(UUID_V4);
    expect(readFileSync(`${repo.control}/repo_id`, 'utf8').endsWith('\n')).toBe(true);
  });

  test('makes config.json of main: identity only, pretty-printed, fields in the order of the format', ({ repo }) => {
    const bytes = readFileSync(`${repo.control}/worktrees/main/config.json`, 'utf8');
    const config = JSON.parse(bytes) as Record<string, unknown>;

    expect(Object.keys(config)).toEqual(['worktree_id', 'isolation', 'created_at', 'base_snapshot_id', 'label']);
    expect(config).toMatchObject({ isolation: 'exclusive', base_snapshot_id: null, label: null });
    expect(config['worktree_id']).toMatch(UUID_V4);
    expect(config['created_at']).toMatch(TIME);
    expect(bytes).toBe(pretty(config));
  });

  test('makes state record 1 of main, one canonical line', ({ repo }) => {
    const [record] = stateRecords(repo);

    expect(stateRecords(repo)).toHaveLength(1);
    expect(record).toMatchObject({
      seq: 1,
      kind: 'create',
      head_snapshot_id: null,
      lock: null,
      pending: null,
      prev_hash: '',
      worktree: 'main',
      worktree_id: worktreeId(repo),
    });
    expect(readFileSync(slot(stateLog(repo), 1), 'utf8')).toBe(`${canonical(record)}\n`);
    expect(Object.keys(record ?? {}).toSorted()).toEqual(
      'actor at event_id head_snapshot_id kind lock pending prev_hash reason record_hash seq worktree worktree_id'.split(
        ' ',
      ),
    );
  });

  test('makes audit record 1, which vouches for repository and worktree', ({ repo }) => {
    const [record] = auditRecords(repo);

    expect(auditRecords(repo)).toHaveLength(1);
    expect(record).toMatchObject({
      seq: 1,
      operation: 'repo_init',
      event_id: stateRecords(repo)[0]?.event_id,
      target: 'main',
      snapshot_id: null,
      condemned_plan: null,
      fencing_token: null,
      details: {
        repo_id: readFileSync(`${repo.control}/repo_id`, 'utf8').trim(),
        object_sha256: sha256(readFileSync(`${repo.control}/worktrees/main/config.json`)),
      },
    });
  });

  test('allocates the reserve of 4 MiB for real', ({ repo }) => {
    const reserve = statSync(`${repo.control}/reserve`);

    expect(reserve.size).toBe(4 * 1024 * 1024);
    expect(reserve.blocks * 512).toBeGreaterThanOrEqual(4 * 1024 * 1024);
  });

  test('leaves no control file in the payload and nothing beside the repository', async ({ dir, ada }) => {
    await ada.ok(['init', 'fresh']);

    expect(readdirSync(`${dir}/fresh/main`)).toEqual([]);
    expect(readdirSync(dir).filter((name) => name.includes('jvs-init'))).toEqual([]);
    expect(readdirSync(`${dir}/fresh`).toSorted()).toEqual(['.jvs', 'main']);
  });

  test('takes an empty directory and refuses any other', async ({ dir, ada }) => {
    mkdirSync(`${dir}/empty`);
    mkdirSync(`${dir}/full`);
    writeFileSync(`${dir}/full/mine`, 'mine');

    await ada.ok(['init', 'empty']);
    await ada.fails(['init', 'full'], 'E_EXISTS');

    expect(existsSync(`${dir}/empty/.jvs/repo_id`)).toBe(true);
    expect(readdirSync(`${dir}/full`)).toEqual(['mine']);
  });

  test('refuses an existing repository, which stays as it is', async ({ dir, repo, ada }) => {
    const before = readFileSync(`${repo.control}/repo_id`, 'utf8');

    const error = await ada.at(dir).fails(['init', 'repo'], 'E_EXISTS');

    expect(error.hint).not.toBe('');
    expect(readFileSync(`${repo.control}/repo_id`, 'utf8')).toBe(before);
  });

  test('refuses to work inside another repository', async ({ repo, ada }) => {
    const result = await ada.run(['init', 'inner']);

    expect(result.exitCode).not.toBe(0);
    expect(result.stderr).toMatch(/^jvs: E_[A-Z_]+: /m);
    expect(readdirSync(repo.main)).toEqual([]);
  });

  test('--import clones a directory into main and leaves the source untouched', async ({ dir, ada }) => {
    mkdirSync(`${dir}/source`);
    writePayload(`${dir}/source`, 'M3');
    const before = lstatSync(`${dir}/source`).mtimeMs;

    const made = await ada.json<{ imported: unknown }>(['init', 'fresh', '--import', 'source']);

    expect(made.imported).toBeTruthy();
    expect(lstatSync(`${dir}/source`).mtimeMs).toBe(before);
    const names = (root: string) => readdirSync(root, 'latin1').toSorted();
    expect(names(`${dir}/fresh/main`)).toEqual(names(`${dir}/source`));
    const odd = Buffer.from([0xff, 0xfe]);
    expect(readFileSync(below(`${dir}/fresh/main`, odd), 'utf8')).toBe('not UTF-8');
  });

  test('--import refuses a payload that no worktree may hold, and makes no repository', async ({ dir, ada }) => {
    mkdirSync(`${dir}/source/.jvs`, { recursive: true });

    const error = await ada.fails(['init', 'fresh', '--import', 'source'], 'E_PAYLOAD_UNSUPPORTED');

    expect(error.message).toContain('.jvs');
    expect(readdirSync(dir).filter((name) => name.includes('fresh'))).toEqual([]);
  });

  test('--import of what is not there makes no repository', async ({ dir, ada }) => {
    const result = await ada.run(['init', 'fresh', '--import', 'nowhere']);

    expect(result.exitCode).toBe(1);
    expect(readdirSync(dir).filter((name) => name.includes('fresh'))).toEqual([]);
  });

  test('that is killed while it imports leaves no repository, and can be done again', async ({ dir, ada }) => {
    for (let n = 0; n < 2000; n++) {
      if (n % 100 === 0) mkdirSync(`${dir}/source/${n / 100}`, { recursive: true });
      writeFileSync(`${dir}/source/${Math.floor(n / 100)}/${n}`, `file ${n}`);
    }
    const running = ada.start(['init', 'fresh', '--import', 'source']);
    while (!readdirSync(dir).some((name) => name.startsWith('.fresh.jvs-init-'))) await delay(1);
    running.kill();

    expect((await running.result).signal).toBe('SIGKILL');
    expect(existsSync(`${dir}/fresh`)).toBe(false);
    await ada.ok(['init', 'fresh', '--import', 'source']);
    expect(readdirSync(`${dir}/fresh/main`)).toHaveLength(20);
  });

  test('by four at once makes one repository', async ({ dir, ada }) => {
    const results = await Promise.all([1, 2, 3, 4].map(async () => ada.run(['init', 'fresh'])));

    const failed = results.filter(({ exitCode }) => exitCode !== 0);
    expect(failed.map(({ stderr }) => /E_[A-Z_]+/.exec(stderr)?.[0])).toEqual(Array(3).fill('E_EXISTS'));
    expect(readdirSync(dir).toSorted()).toEqual(['fresh', 'home-ada']);
    expect(await ada.at(`${dir}/fresh`).json(['doctor', '--strict'])).toMatchObject({ healthy: true });
  });
});

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
