import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { writePayload } from '@jvs/testkit';
import { describe, expect } from 'vitest';
import { initRepository } from '../src/init-repository.ts';
import { verifyAudit } from '../src/verify/verify-audit.ts';
import { openWorktree } from '../src/worktree/worktree.ts';
import { sha256 } from './fixtures/canonical.ts';
import { auditRecords, callerNamed, stateRecords, test } from './fixtures/world.ts';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('a new repository', () => {
  test('has its format, an id, main, and record 1 of both logs', async ({ dir }) => {
    const { repository: r, degradations } = await initRepository(`${dir}/repo`, callerNamed(dir, 'ada'));

    expect(degradations).toEqual([]);
    expect(readFileSync(`${dir}/repo/.jvs/format_version`, 'utf8')).toBe('1\n');
    expect(readFileSync(`${dir}/repo/.jvs/repo_id`, 'utf8')).toBe(`${r.id}\n`);
    expect(r.id).toMatch(UUID_V4);
    const { config } = await openWorktree(r, 'main');
    expect(config).toMatchObject({ isolation: 'exclusive', base_snapshot_id: null, label: null });
    expect(config.worktree_id).toMatch(UUID_V4);
    const [state, ...laterStates] = stateRecords(r, config.worktree_id);
    const [audit, ...laterAudits] = auditRecords(r);
    expect([laterStates, laterAudits]).toEqual([[], []]);
    expect(state).toMatchObject({
      kind: 'create',
      head_snapshot_id: null,
      lock: null,
      pending: null,
      worktree: 'main',
    });
    expect(audit).toMatchObject({
      operation: 'repo_init',
      target: 'main',
      event_id: state?.event_id,
      details: { repo_id: r.id, object_sha256: sha256(readFileSync(r.layout.worktreeConfig('main'))) },
    });
    expect(await verifyAudit(r)).toMatchObject({ valid: true, problems: [] });
  });

  test('has a payload without control files, and 4 MiB in reserve that are really there', async ({ dir }) => {
    const { repository: r } = await initRepository(`${dir}/repo`, callerNamed(dir, 'ada'));

    expect(readdirSync(`${dir}/repo`).toSorted()).toEqual(['.jvs', 'main']);
    expect(readdirSync(`${dir}/repo/main`)).toEqual([]);
    expect(statSync(r.layout.reserve).size).toBe(4 * 1024 * 1024);
    expect(statSync(r.layout.reserve).blocks * 512).toBeGreaterThanOrEqual(4 * 1024 * 1024);
    expect(readdirSync(dir)).toEqual(['repo']);
  });

  test('may stand in an empty directory', async ({ dir }) => {
    mkdirSync(`${dir}/repo`);

    await expect(initRepository(`${dir}/repo`, callerNamed(dir, 'ada'))).resolves.toBeDefined();
  });

  test('may begin with the copy of a directory, which stays as it is', async ({ dir }) => {
    mkdirSync(`${dir}/source`);
    writePayload(`${dir}/source`, 'M3');
    const before = execFileSync('find', [`${dir}/source`, '-printf', '%P %m %s %T@\\0']);

    await initRepository(`${dir}/repo`, callerNamed(dir, 'ada'), { importFrom: `${dir}/source` });

    expect(execFileSync('find', [`${dir}/source`, '-printf', '%P %m %s %T@\\0'])).toEqual(before);
    execFileSync('diff', ['-r', '--no-dereference', `${dir}/source`, `${dir}/repo/main`]);
  });
});

describe('no repository is made', () => {
  test.for([
    ['in a directory with files', 'occupied', 'E_EXISTS'],
    ['where one is', 'repo', 'E_EXISTS'],
    ['inside another', 'repo/main/inner', 'E_USAGE'],
    ['in place of a file', 'file', 'E_EXISTS'],
    ['below what is not there', 'missing/repo', 'E_NOT_FOUND'],
    ['under a name that is none', '.hidden', 'E_NAME_INVALID'],
  ] as const)('%s', async ([, path, code], { dir, fresh }) => {
    mkdirSync(`${dir}/occupied`);
    writeFileSync(`${dir}/occupied/mine`, '');
    writeFileSync(`${dir}/file`, 'mine');
    const before = readdirSync(dir).toSorted();

    await expect(initRepository(`${dir}/${path}`, callerNamed(dir, 'ada'))).rejects.toMatchObject({ code });

    expect(readdirSync(dir).toSorted()).toEqual(before);
    expect(auditRecords(fresh)).toHaveLength(1);
  });

  test('of a source that cannot be a payload, and nothing is left', async ({ dir }) => {
    mkdirSync(`${dir}/source/.jvs`, { recursive: true });

    const making = initRepository(`${dir}/repo`, callerNamed(dir, 'ada'), { importFrom: `${dir}/source` });

    await expect(making).rejects.toMatchObject({ code: expect.stringMatching(/^E_/) });
    expect(readdirSync(dir)).toEqual(['source']);
  });

  test('of a source that is not there', async ({ dir }) => {
    const making = initRepository(`${dir}/repo`, callerNamed(dir, 'ada'), { importFrom: `${dir}/missing` });

    await expect(making).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect(existsSync(`${dir}/repo`)).toBe(false);
  });
});
