import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { auditRecords, below, slot, stateLog, stateRecords, test, worktreeId, writePayload } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { canonical, pretty, sha256 } from './canonical.ts';

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

  test.for([
    ['.', 'the directory that the repository would lie in'],
    ['..', 'one further up'],
  ] as const)('--import %s, %s, is E_USAGE with advice, and makes nothing', async ([source], { dir, ada }) => {
    mkdirSync(`${dir}/outer/inner`, { recursive: true });
    writeFileSync(`${dir}/outer/inner/mine`, 'mine');
    const user = ada.at(source === '.' ? `${dir}/outer` : `${dir}/outer/inner`);

    const result = await user.run(['--json', 'init', 'fresh', '--import', source]);

    expect(result.exitCode).toBe(2);
    const { error } = JSON.parse(result.stdout) as { error: { code: string; hint: string } };
    expect(error.code).toBe('E_USAGE');
    expect(error.hint).toContain('another directory');
    expect(readdirSync(`${dir}/outer`)).toEqual(['inner']);
    expect(readdirSync(`${dir}/outer/inner`)).toEqual(['mine']);
  });

  test('--import tells how far it is', async ({ dir, ada }) => {
    for (const folder of ['a', 'b']) {
      mkdirSync(`${dir}/source/${folder}`, { recursive: true });
      for (let n = 0; n < 10; n++) writeFileSync(`${dir}/source/${folder}/${n}`, 'twelve bytes');
    }

    const { stderr } = await ada.run(['--progress=json', 'init', 'fresh', '--import', 'source']);

    const events = stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { type: string; files?: number; bytes?: number });
    const sum = (type: string) =>
      events
        .filter((event) => event.type === type)
        .reduce((all, { files = 0, bytes = 0 }) => ({ files: all.files + files, bytes: all.bytes + bytes }), {
          files: 0,
          bytes: 0,
        });
    expect(sum('planned')).toEqual({ files: 20, bytes: 240 });
    expect(sum('advanced')).toEqual({ files: 20, bytes: 240 });
  });

  test('--import is done by the engine that the environment names', async ({ dir, ada }) => {
    mkdirSync(`${dir}/source`);

    await ada
      .with({ JVS_SNAPSHOT_ENGINE: 'no-such-engine' })
      .fails(['init', 'fresh', '--import', 'source'], 'E_ENGINE_UNAVAILABLE');

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
