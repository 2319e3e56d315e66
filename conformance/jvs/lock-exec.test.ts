import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

import {
  auditRecords,
  JVS_BIN,
  setHeartbeatBack,
  slot,
  stateLog,
  stateRecords,
  test,
  type CliResult,
  type RepositoryFiles,
  type RunningCli,
  type User,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

/** How a shell calls the jvs under test. */
const JVS = `'${process.execPath}' '${JVS_BIN}'`;

const lockOf = (repo: RepositoryFiles) => stateRecords(repo).at(-1)?.lock ?? null;
const kinds = (repo: RepositoryFiles) => stateRecords(repo).map(({ kind }) => kind);

/** `jvs lock exec … -- sh -c script` */
const shell = (script: string, ...flags: string[]) => ['lock', 'exec', ...flags, '--', 'sh', '-c', script];

/** Starts a script that makes the file `started` when it is ready for what comes, and waits for that. */
async function startShell(user: User, script: string, ...flags: string[]): Promise<RunningCli> {
  const running = user.start(shell(script, ...flags));
  await until(() => existsSync(`${user.cwd}/started`), running);
  return running;
}

async function until(holds: () => boolean, running: RunningCli): Promise<void> {
  let ended: CliResult | Error | undefined;
  running.result.then(
    (result) => (ended = result),
    (error: Error) => (ended = error),
  );
  while (!holds()) {
    if (ended instanceof Error) throw ended;
    if (ended !== undefined) throw new Error(`It ended: ${JSON.stringify(ended)}`);
    await delay(10);
  }
}

const UNTIL_FINISH = 'touch started; while [ ! -e finish ]; do sleep 0.05; done';
const WAIT = 'touch started; while :; do sleep 0.05; done';

describe.concurrent('what the command gets', () => {
  test('session, token and worktree by its environment', async ({ repo, ada }) => {
    const script = 'echo "$JVS_SESSION|$JVS_FENCING_TOKEN|$JVS_WORKTREE"';

    const [session, token, worktree] = (await ada.ok(shell(script))).trim().split('|');

    const taken = stateRecords(repo)[1];
    expect(taken).toMatchObject({ kind: 'acquire', lock: { session_id: session, fencing_token: 2 } });
    expect([token, worktree]).toEqual(['2', 'main']);
    expect(kinds(repo)).toEqual(['create', 'acquire', 'release']);
    expect(
      auditRecords(repo)
        .map(({ operation }) => operation)
        .slice(1),
    ).toEqual(['lock_acquire', 'lock_release']);
  });

  test('our stdin, stdout and stderr, and every word after --', async ({ repo, ada }) => {
    const line = ['--json', '--purpose', 'x', '--', '-C', '"quoted"', ''];
    const script = 'cat; echo to-stderr >&2; for word; do echo "[$word]"; done';

    const result = await ada.run([...shell(script), 'sh', ...line], { input: 'from stdin\n' });

    expect(result.stdout).toBe(`from stdin\n${line.map((word) => `[${word}]\n`).join('')}`);
    expect(result.stderr).toBe('to-stderr\n');
    expect(result.exitCode).toBe(0);
    expect(stateRecords(repo)[1]?.lock?.purpose).toBeNull();
  });

  test('a session of its own, in which snapshots are made; the caller himself is excluded', async ({ repo, ada }) => {
    const running = await startShell(ada, `${JVS} snapshot inside && ${UNTIL_FINISH}`);

    await ada.fails(['snapshot'], 'E_LOCK_NOT_HELD');
    await ada.fails(['lock', 'release'], 'E_LOCK_NOT_HELD');
    writeFileSync(`${repo.main}/finish`, '');
    await running.result;

    expect(kinds(repo)).toEqual(['create', 'acquire', 'head', 'release']);
    expect(stateRecords(repo)[2]?.lock).toMatchObject({ fencing_token: 2 });
  });

  test('the lock of the worktree that is named, whatever surrounds us', async ({ repo, ada }) => {
    await ada.ok(['worktree', 'create', 'second']);
    const args = ['lock', 'exec', '--worktree', 'second', '--', 'sh', '-c', `${JVS} snapshot; ${JVS} lock status`];

    const out = await ada.with({ JVS_FENCING_TOKEN: '77', JVS_WORKTREE: 'main' }).ok(args);

    expect(out).toContain('Worktree: second');
    expect(kinds(repo)).toEqual(['create']);
    expect(stateRecords(repo, 'second').map(({ kind }) => kind)).toEqual([
      'create',
      'end',
      'acquire',
      'head',
      'release',
    ]);
  });

  test('--purpose and --lease-ms as acquire; --session is part of its own', async ({ repo, ada }) => {
    await ada.ok(shell('true', '--purpose', 'nightly', '--lease-ms', '60000', '--session', 'ci'));

    expect(stateRecords(repo)[1]?.lock).toMatchObject({ purpose: 'nightly', lease_duration_ms: 60_000 });
    expect(stateRecords(repo)[1]?.lock?.session_id).toMatch(/^ci.+/);
  });
});

describe.concurrent('what it returns', () => {
  test.for([
    ['exit 0', 0],
    ['exit 7', 7],
    ['exit 125', 125],
    ['kill -TERM $$', 128 + constants.signals.SIGTERM],
    ['kill -KILL $$', 128 + constants.signals.SIGKILL],
  ] as const)('%s: %i, and the lock is given back', async ([script, status], { repo, ada }) => {
    expect(await ada.run(shell(script))).toMatchObject({ exitCode: status, stdout: '', stderr: '' });

    expect(lockOf(repo)).toBeNull();
    const [folder = ''] = readdirSync(`${ada.home}/state/jvs`);
    expect(readdirSync(`${ada.home}/state/jvs/${folder}`)).toEqual([]);
  });

  test.for([
    ['no-such-command', 127, 'ENOENT'],
    ['./not-executable', 126, 'EACCES'],
  ] as const)('%s: %i, and the lock is given back', async ([command, status, errno], { repo, ada }) => {
    writeFileSync(`${repo.main}/not-executable`, '#!/bin/sh\n', { mode: 0o644 });

    const result = await ada.run(['--json', 'lock', 'exec', '--', command]);

    expect(result.exitCode).toBe(status);
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'E_IO', details: { errno, command } } });
    expect(lockOf(repo)).toBeNull();
  });

  test('125 when the lock cannot be had; the command is not run', async ({ saved, bob }) => {
    const result = await bob.run(['--json', ...shell('touch was-run')]);

    expect(result.exitCode).toBe(125);
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'E_LOCK_CONFLICT' } });
    expect(existsSync(`${saved.main}/was-run`)).toBe(false);
    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('125 outside of a repository', async ({ dir, ada }) => {
    expect(await ada.at(dir).run(shell('true'))).toMatchObject({ exitCode: 125, stdout: '' });
  });

  test.for([
    ['lock', 'exec'],
    ['lock', 'exec', '--'],
    ['lock', 'exec', 'true'],
    ['lock', 'exec', 'sh', '--', '-c', 'true'],
    ['lock', 'exec', '--', ''],
    ['lock', 'exec', '--lease-ms', '1', '--', 'true'],
  ])('2 for %j', async (args, { repo, ada }) => {
    expect(await ada.run(args)).toMatchObject({ exitCode: 2, stdout: '' });
    expect(kinds(repo)).toEqual(['create']);
  });
});

describe.concurrent('signals', () => {
  test.for(['HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2'])(
    'SIG%s reaches the command',
    async (name, { repo, ada, expect }) => {
      const running = await startShell(ada, `trap 'echo got ${name}; exit 42' ${name}; ${WAIT}`);

      process.kill(running.pid, `SIG${name}`);

      expect(await running.result).toMatchObject({ exitCode: 42, signal: null, stdout: `got ${name}\n`, stderr: '' });
      expect(lockOf(repo)).toBeNull();
    },
  );

  test('one that ends the command is its exit status', async ({ repo, ada, expect }) => {
    const running = await startShell(ada, WAIT);

    process.kill(running.pid, 'SIGTERM');

    expect(await running.result).toMatchObject({ exitCode: 143, signal: null, stderr: '' });
    expect(lockOf(repo)).toBeNull();
  });

  test('while it waits for the lock, SIGINT ends it: 130, and the command is not run', async ({
    saved,
    bob,
    expect,
  }) => {
    const running = bob.start(shell('touch was-run', '--wait', '60000'));
    await until(() => existsSync(`${bob.home}/state/jvs`), running);
    await delay(300);

    process.kill(running.pid, 'SIGINT');

    expect(await running.result).toMatchObject({ exitCode: 130, stdout: '' });
    expect(existsSync(`${saved.main}/was-run`)).toBe(false);
    expect(stateRecords(saved)).toHaveLength(3);
  });
});

describe.concurrent('renewal', () => {
  test('keeps a lease of three seconds alive for as long as the command runs, without records', async ({
    repo,
    ada,
    expect,
  }) => {
    const running = await startShell(ada, 'touch started; sleep 5', '--lease-ms', '3000');
    const heartbeats = new Set<number>();
    await until(() => {
      heartbeats.add(statSync(slot(stateLog(repo), 2)).mtimeMs);
      return existsSync(slot(stateLog(repo), 3));
    }, running);

    expect(await running.result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(heartbeats.size).toBeGreaterThan(3);
    expect(kinds(repo)).toEqual(['create', 'acquire', 'release']);
    expect(auditRecords(repo)).toHaveLength(3);
  });

  test('goes on under the heads that the command publishes', async ({ repo, ada, expect }) => {
    const script = `${JVS} snapshot a && sleep 4 && ${JVS} snapshot b`;

    expect(await ada.run(shell(script, '--lease-ms', '3000'))).toMatchObject({ exitCode: 0 });
    expect(kinds(repo)).toEqual(['create', 'acquire', 'head', 'head', 'release']);
  });
});

describe.concurrent('a lock that is lost', () => {
  test('to somebody who took it: the command gets SIGTERM, and it is 125', async ({ repo, ada, bob, expect }) => {
    const running = await startShell(ada, `trap 'echo told; exit 3' TERM; ${WAIT}`, '--lease-ms', '3000');
    running.suspend();
    setHeartbeatBack(repo, 60_000);
    await bob.ok(['lock', 'acquire']);
    running.resume();

    const result = await running.result;

    expect(result).toMatchObject({ exitCode: 125, stdout: 'told\n' });
    expect(result.stderr).toContain('jvs: E_FENCING_MISMATCH: ');
    expect(result.stderr.match(/warning:/g)).toHaveLength(1);
    expect(kinds(repo)).toEqual(['create', 'acquire', 'steal']);
    expect(lockOf(repo)?.session_id).toBe('bob');
  });

  test('because it could not be renewed in time: likewise, and it is given back', async ({ repo, ada, expect }) => {
    const running = await startShell(ada, WAIT, '--lease-ms', '3000');
    setHeartbeatBack(repo, 60_000);

    const result = await running.result;

    expect(result.exitCode).toBe(125);
    expect(result.stderr).toContain('jvs: E_LOCK_EXPIRED: ');
    expect(kinds(repo)).toEqual(['create', 'acquire', 'release']);
  });

  test('by force: likewise', async ({ repo, ada, bob, expect }) => {
    const running = await startShell(ada, WAIT, '--lease-ms', '3000');
    await bob.ok(['lock', 'release', '--force', '--reason', 'needed elsewhere']);

    expect(await running.result).toMatchObject({ exitCode: 125 });
    expect(lockOf(repo)).toBeNull();
  });

  test('is also noticed when the command ends by itself', async ({ repo, ada, bob, expect }) => {
    const running = await startShell(ada, UNTIL_FINISH);
    setHeartbeatBack(repo);
    await bob.ok(['lock', 'acquire']);
    writeFileSync(`${repo.main}/finish`, '');

    const result = await running.result;

    expect(result.exitCode).toBe(125);
    expect(result.stderr).toContain('jvs: E_FENCING_MISMATCH: ');
    expect(lockOf(repo)?.session_id).toBe('bob');
  });

  test('a command that ignores SIGTERM is waited for; further signals reach it', async ({ repo, ada, bob, expect }) => {
    const script = `trap 'touch told' TERM; trap 'echo enough; exit 0' USR1; ${WAIT}`;
    const running = await startShell(ada, script, '--lease-ms', '3000');
    await bob.ok(['lock', 'release', '--force', '--reason', 'needed elsewhere']);
    await until(() => existsSync(`${repo.main}/told`), running);

    process.kill(running.pid, 'SIGUSR1');

    expect(await running.result).toMatchObject({ exitCode: 125, stdout: 'enough\n' });
  });

  test('because jvs itself was killed: the command cannot publish any more', async ({ repo, ada, bob, expect }) => {
    const running = await startShell(ada, `${UNTIL_FINISH}; ${JVS} --json snapshot late`);
    running.kill();
    setHeartbeatBack(repo);
    await bob.ok(['lock', 'acquire']);
    writeFileSync(`${repo.main}/finish`, '');

    // Its output ends with the command, which has outlived it.
    const { signal, stdout } = await running.result;

    expect(signal).toBe('SIGKILL');
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'E_FENCING_MISMATCH' } });
    expect(kinds(repo)).toEqual(['create', 'acquire', 'steal']);
  });
});

test('commands that wait for each other run one after the other', async ({ repo, ada, bob }) => {
  const script = 'mkdir alone && sleep 0.3 && rmdir alone';
  const users = [ada, bob, ada, bob];

  const results = await Promise.all(users.map(async (user) => user.run(shell(script, '--wait', '30000'))));

  expect(results.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(users.map(() => [0, '']));
  expect(kinds(repo)).toEqual(['create', ...users.flatMap(() => ['acquire', 'release'])]);
});
