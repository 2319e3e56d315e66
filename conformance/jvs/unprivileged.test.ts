import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import process from 'node:process';

import { repositoryAt, test, type Descriptor, type RepositoryFiles, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

const NOBODY = 65534;
const CAN_SWITCH = process.getuid?.() === 0;
const asNobody = { uid: NOBODY };

/** A repository of an ordinary user, whom permissions bind as they do not bind root. */
async function ownRepository(dir: string, ada: User): Promise<RepositoryFiles> {
  for (const path of [dir, ada.home]) chownSync(path, NOBODY, NOBODY);
  await ada.ok(['init', 'repo'], asNobody);
  const repo = repositoryAt(`${dir}/repo`);
  ada.cwd = repo.main;
  await ada.ok(['lock', 'acquire'], asNobody);
  return repo;
}

describe.runIf(CAN_SWITCH)('without privileges', () => {
  test('read-only directories and files are kept, restored and verified', async ({ dir, ada }) => {
    const repo = await ownRepository(dir, ada);
    mkdirSync(`${repo.main}/locked/deeper`, { recursive: true });
    writeFileSync(`${repo.main}/locked/deeper/file`, 'kept', { mode: 0o444 });
    for (const path of ['locked/deeper/file', 'locked/deeper', 'locked'])
      chownSync(`${repo.main}/${path}`, NOBODY, NOBODY);
    for (const path of ['locked/deeper', 'locked']) chmodSync(`${repo.main}/${path}`, 0o555);

    const made = await ada.json<Descriptor>(['snapshot'], asNobody);
    await ada.ok(['restore', made.snapshot_id, '--name', 'again', '--verify'], asNobody);

    expect(made.degradations).toEqual([]);
    const restored = `${repo.root}/worktrees/again/locked`;
    expect([restored, `${restored}/deeper`].map((path) => lstatSync(path).mode & 0o777)).toEqual([0o555, 0o555]);
    await ada.ok(['verify', '--all'], asNobody);
    await ada.ok(['lock', 'release'], asNobody);
    expect(await ada.json(['doctor', '--strict'], asNobody)).toMatchObject({ healthy: true, findings: [] });
  });

  test('a read-only directory of a dead snapshot is still removed', async ({ dir, ada }) => {
    const repo = await ownRepository(dir, ada);
    mkdirSync(`${repo.main}/locked`);
    writeFileSync(`${repo.main}/locked/file`, 'x');
    for (const path of ['locked/file', 'locked']) chownSync(`${repo.main}/${path}`, NOBODY, NOBODY);
    chmodSync(`${repo.main}/locked`, 0o555);
    await ada.run(['snapshot'], { ...asNobody, env: { JVS_FAILPOINT: 'publish:ready=kill' } });
    await ada.ok(['lock', 'release'], asNobody);

    await ada.ok(['doctor', '--repair-runtime'], asNobody);

    expect(readdirSync(`${repo.control}/snapshots`)).toEqual([]);
    expect(readdirSync(`${repo.control}/intents`)).toEqual([]);
  });

  test('a file that cannot be read is E_IO with EACCES and its path; nothing is made', async ({ dir, ada }) => {
    const repo = await ownRepository(dir, ada);
    writeFileSync(`${repo.main}/secret`, 'of root', { mode: 0o600 });

    const error = await ada.fails(['snapshot'], 'E_IO', asNobody);

    expect(JSON.stringify(error.details)).toContain('EACCES');
    expect(JSON.stringify([error.message, error.details])).toContain('secret');
    expect(readdirSync(`${repo.control}/snapshots`)).toEqual([]);
    expect(readdirSync(`${repo.control}/intents`)).toEqual([]);
  });

  test('an owner that cannot be kept is the label owner', async ({ dir, ada }) => {
    const repo = await ownRepository(dir, ada);
    writeFileSync(`${repo.main}/of-root`, 'readable', { mode: 0o644 });

    const made = await ada.json<Descriptor>(['snapshot'], asNobody);

    expect(made.degradations).toEqual(['owner']);
    await ada.ok(['verify', '--all'], asNobody);
  });

  test('a state home that belongs to someone else is E_IO, with the hint', async ({ dir, ada }) => {
    await ownRepository(dir, ada);
    await ada.ok(['lock', 'release'], asNobody);
    mkdirSync(`${dir}/of-root`, { mode: 0o700 });

    const elsewhere = ada.with({ XDG_STATE_HOME: `${dir}/of-root` });
    const error = await elsewhere.fails(['lock', 'acquire'], 'E_IO', asNobody);

    expect(error.hint).toContain('XDG_STATE_HOME');
    expect(readdirSync(`${dir}/of-root`)).toEqual([]);
  });

  test('a repository of someone else can be read and verified', async ({ dir, saved, ada }) => {
    chmodSync(dir, 0o755);
    chownSync(ada.home, NOBODY, NOBODY);

    expect(await ada.ok(['verify', '--all'], asNobody)).toContain(`${saved.id}  OK`);
    expect(await ada.json<Descriptor[]>(['history'], asNobody)).toHaveLength(1);
    expect(await ada.json(['status'], asNobody)).toMatchObject({ head_snapshot_id: saved.id });
    await ada.json(['lock', 'status'], asNobody);
    const error = await ada.run(['worktree', 'create', 'x'], asNobody);
    expect(error).toMatchObject({ exitCode: 1, stdout: '' });
    expect(error.stderr).toMatch(/^jvs: E_IO: /m);
  });
});
