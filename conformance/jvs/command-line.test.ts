import { spawn, spawnSync, type ChildProcessWithoutNullStreams, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { JVS_BIN, stateRecords, test, type CliError, type Descriptor, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

describe('usage errors exit 2, say E_USAGE and do nothing', () => {
  const wrong = [
    ['no-such-command'],
    ['snapshot', '--no-such-flag'],
    ['snapshot', 'one', 'two'],
    ['init'],
    ['restore'],
    ['worktree'],
    ['worktree', 'no-such'],
    ['lock', 'acquire', 'extra'],
    ['snapshot', '--consistency', 'perhaps'],
    ['history', '--limit', 'many'],
    ['verify', '--sample', 'half'],
    ['snapshot', 'twice', '-F', '/dev/null'],
  ];

  test.for(wrong)('%j', async (args, { saved, ada }) => {
    const result = await ada.run([...args, '--json']);

    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('jvs: E_USAGE: ');
    expect((JSON.parse(result.stdout) as { error: CliError }).error.code).toBe('E_USAGE');
    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('an unknown command names the nearest one', async ({ dir, ada }) => {
    const { exitCode, stdout, stderr } = await ada.at(dir).run(['snapshott']);

    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^jvs: E_USAGE: /m);
    expect(stderr).toMatch(/\bsnapshot\b/);
  });

  test('an unknown value in the environment is an error too', async ({ saved, ada }) => {
    const engine = await ada.with({ JVS_SNAPSHOT_ENGINE: 'teleport' }).run(['snapshot']);
    const token = await ada.with({ JVS_FENCING_TOKEN: 'two' }).run(['snapshot']);

    const failpoint = await ada.with({ JVS_FAILPOINT: 'publish:clone=explode' }).run(['snapshot']);

    await ada.with({ JVS_SNAPSHOT_ENGINE: 'teleport' }).fails(['restore', saved.id], 'E_ENGINE_UNAVAILABLE');
    expect(failpoint.exitCode).toBe(2);
    expect(engine.exitCode).not.toBe(0);
    expect(token.exitCode).not.toBe(0);
    expect(stateRecords(saved)).toHaveLength(3);
  });
});

describe('failures', () => {
  test('print class and hint on stderr, nothing on stdout', async ({ repo, ada }) => {
    const result = await ada.run(['snapshot']);

    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr).toMatch(/^jvs: E_LOCK_NOT_HELD: .+/);
    expect(result.stderr).toMatch(/^hint: .+/m);
    expect(stateRecords(repo)).toHaveLength(1);
  });

  test('with --json are one document on stdout beside it', async ({ repo, ada }) => {
    const result = await ada.run(['snapshot', '--json']);

    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('jvs: E_LOCK_NOT_HELD: ');
    const document = JSON.parse(result.stdout) as { error: CliError };
    expect(Object.keys(document)).toEqual(['error']);
    expect(Object.keys(document.error)).toEqual(['code', 'message', 'hint', 'details']);
    expect(result.stdout).toBe(`${JSON.stringify(document, null, 2)}\n`);
    expect(stateRecords(repo)).toHaveLength(1);
  });

  test('carry no control characters', async ({ dir, ada }) => {
    const { stderr } = await ada.at(dir).run(['init', 'a\u001b[31mb\u0007']);

    // oxlint-disable-next-line no-control-regex
    expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
  });
});

describe('flags', () => {
  test('mix with arguments and stand anywhere', async ({ dir, saved, ada }) => {
    const orders = [
      ['--json', 'history', '-n', '1'],
      ['history', '--json', '--limit', '1'],
      ['history', '-n', '1', '-C', saved.main, '--json'],
      ['-C', saved.main, '--json', 'history', '--limit=1'],
    ];
    for (const args of orders) {
      const user = args.includes('-C') ? ada.at(dir) : ada;
      expect(JSON.parse(await user.ok(args))).toMatchObject([{ snapshot_id: saved.id }]);
    }
  });

  test('-- ends them', async ({ saved, ada }) => {
    await ada.ok(['snapshot', '--', '--json']);

    const [newest] = await ada.json<Descriptor[]>(['history']);
    expect(newest).toMatchObject({ note: '--json', parent_snapshot_id: saved.id });
  });

  test('--version and --help work anywhere and exit 0', async ({ dir, ada }) => {
    const version = await ada.at(dir).ok(['--version']);
    const help = await ada.at(dir).ok(['--help']);
    const commandHelp = await ada.at(dir).ok(['snapshot', '--help']);

    expect(version).toMatch(/\d+\.\d+\.\d+/);
    for (const command of ['init', 'info', 'status', 'lock', 'snapshot', 'history', 'restore', 'worktree', 'verify']) {
      expect(help).toContain(command);
    }
    expect(commandHelp).toContain('--tag');
  });

  test('NO_COLOR, --no-color and a pipe all mean: no escape sequences', async ({ saved, ada }) => {
    const outputs = await Promise.all([
      ada.run(['history']),
      ada.run(['--no-color', 'doctor']),
      ada.with({ NO_COLOR: '1' }).run(['verify', saved.id]),
      ada.run(['no-such-command']),
    ]);

    expect(JSON.stringify(outputs)).not.toContain('\\u001b');
  });

  test('--quiet keeps the result', async ({ saved, ada }) => {
    const result = await ada.run(['--quiet', 'history']);

    expect(result.stdout).toContain(saved.id);
    expect(result.stderr).toBe('');
  });

  test('-C to nowhere fails with a class', async ({ dir, ada }) => {
    const result = await ada.at(dir).run(['-C', 'nowhere', 'info']);

    expect(result.exitCode).not.toBe(0);
    expect(result.stderr).toMatch(/^jvs: E_(?!INTERNAL)[A-Z_]+: /m);
  });
});

test.for([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends a snapshot with %i, and nothing of it is visible', async ([signal, exitCode], { saved, ada }) => {
  const running = ada.start(['snapshot'], { env: { JVS_FAILPOINT: 'publish:clone=stop' } });
  await running.stopped();

  process.kill(running.pid, signal);
  running.resume();

  expect(await running.result).toMatchObject({ exitCode, stdout: '' });
  expect(await ada.json<Descriptor[]>(['history'])).toHaveLength(1);
  expect(readdirSync(`${saved.control}/descriptors`)).toHaveLength(1);
  await ada.ok(['snapshot', 'the next one works']);
});

/** The program in a process group of its own, as a shell starts it. */
function startInGroup(user: User, args: string[], env: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, [JVS_BIN, ...args], {
    cwd: user.cwd,
    env: { PATH: process.env['PATH'], ...user.env, ...env },
    detached: true,
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stderr }));
  });
  return { child, ended };
}

interface Started {
  child: ChildProcessWithoutNullStreams;
  ended: Promise<Ended>;
}

interface Ended {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

test.for([
  ['snapshot', '-'],
  ['snapshot', '-F', '-'],
])('%j, which waits for a note that does not end, can be interrupted', async (args, { saved, ada }) => {
  const { child, ended } = startInGroup(ada, args);
  child.stdin.on('error', () => undefined);
  // More than a pipe holds: once it is written, somebody is reading.
  await new Promise((resolve) => child.stdin.write('x'.repeat(1 << 20), resolve));
  child.kill('SIGINT');

  expect(await ended).toEqual({ exitCode: 130, signal: null, stderr: 'jvs: interrupted\n' });
  expect(stateRecords(saved)).toHaveLength(3);
});

test('Ctrl-C, which reaches helper programs too, is an interruption and no failure', async ({ dir, saved, ada }) => {
  mkdirSync(`${dir}/bin`);
  const script = `#!/bin/sh\nmkdir '${dir}/syncing'\nsleep 1\n`;
  writeFileSync(`${dir}/bin/sync`, script, { mode: 0o755 });
  const { child, ended } = startInGroup(ada, ['snapshot'], { PATH: `${dir}/bin:${process.env['PATH']}` });
  while (!existsSync(`${dir}/syncing`)) await delay(5);
  // The terminal's driver signals the group in the foreground.
  process.kill(-(child.pid ?? 0), 'SIGINT');

  expect(await ended).toEqual({ exitCode: 130, signal: null, stderr: 'jvs: interrupted\n' });
  expect(stateRecords(saved)).toHaveLength(3);
  expect(readdirSync(`${saved.control}/descriptors`)).toHaveLength(1);
  await ada.ok(['snapshot', 'the next one works']);
});

test('a helper program that fails is E_IO with what it said', async ({ dir, saved, ada }) => {
  mkdirSync(`${dir}/bin`);
  writeFileSync(`${dir}/bin/sync`, '#!/bin/sh\necho "sync: error syncing: Stale file handle" >&2; exit 1\n', {
    mode: 0o755,
  });

  const error = await ada.with({ PATH: `${dir}/bin:${process.env['PATH']}` }).fails(['snapshot'], 'E_IO');

  expect(error.message).toContain('Stale file handle');
  expect(error.details).toMatchObject({ errno: 'ESTALE' });
  expect(stateRecords(saved)).toHaveLength(3);
});

describe('a working directory that is gone', () => {
  async function inGone(user: User, line: string): Promise<SpawnSyncReturns<string>> {
    const gone = `${user.home}/gone`;
    mkdirSync(gone);
    const script = `cd "$1" && rmdir "$1" && exec "$2" "$3" ${line}`;
    return spawnSync('bash', ['-c', script, 'bash', gone, process.execPath, JVS_BIN], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], ...user.env },
    });
  }

  test.for(['info', 'snapshot', 'init new', 'no-such-command', '--version'])('%s says so', async (line, { ada }) => {
    const { status, stdout, stderr } = await inGone(ada, line);

    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^jvs: E_USAGE: The working directory no longer exists\n/);
    expect(stderr).toMatch(/^hint: .*cd /m);
    expect(stderr).not.toContain('node:internal');
  });

  test('does not matter with -C', async ({ saved, ada }) => {
    const { status, stdout } = await inGone(ada, `-C '${saved.main}' info --json`);

    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ repo_root: saved.root });
  });
});

describe('the current worktree', () => {
  test('is what JVS_WORKTREE says, for HEAD too', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'exp', '--from', saved.id]);
    await ada.ok(['snapshot', 'only in main']);
    const inExp = ada.with({ JVS_WORKTREE: 'exp' });

    expect(await inExp.json(['verify', 'HEAD'])).toMatchObject({ snapshot_id: saved.id });
    expect(await inExp.json(['restore', 'HEAD', '--name', 'copy'])).toMatchObject({ snapshot_id: saved.id });
    expect(await inExp.at(saved.root).json(['verify', 'HEAD'])).toMatchObject({ snapshot_id: saved.id });
    await ada.with({ JVS_WORKTREE: 'none' }).fails(['verify', 'HEAD'], 'E_NOT_FOUND');
  });

  test('that is damaged is named where HEAD is asked for, and no matter elsewhere', async ({ saved, ada }) => {
    writeFileSync(`${saved.control}/worktrees/main/config.json`, '{');

    await ada.fails(['restore', 'HEAD'], 'E_DESCRIPTOR_CORRUPT');
    expect(await ada.json(['restore', saved.id, '--name', 'rescued'])).toMatchObject({ snapshot_id: saved.id });
  });

  test('is the one that a symlink out of it was entered from, if PWD tells', async ({ dir, saved, ada }) => {
    mkdirSync(`${dir}/elsewhere`);
    symlinkSync(`${dir}/elsewhere`, `${saved.main}/link`);
    const there = ada.at(`${dir}/elsewhere`);

    expect(await there.with({ PWD: `${saved.main}/link` }).json(['status'])).toMatchObject({ worktree: 'main' });
    await there.with({ PWD: saved.main }).fails(['status'], 'E_NOT_A_REPOSITORY');
    await there.with({ PWD: `${dir}/elsewhere` }).fails(['status'], 'E_NOT_A_REPOSITORY');
  });
});

test('--debug tells of what init does', async ({ dir, ada }) => {
  const { stdout, stderr } = await ada.at(dir).run(['init', 'fresh', '--debug']);

  expect(stdout).toContain('Initialized JVS repository');
  for (const line of stderr.trim().split('\n').filter(Boolean)) expect(JSON.parse(line)).toHaveProperty('msg');
});

test('commands that only read change no file', async ({ saved, ada }) => {
  const before = listing(saved.root);

  for (const args of [
    ['info'],
    ['history'],
    ['verify'],
    ['audit', 'show'],
    ['audit', 'verify'],
    ['worktree', 'list'],
  ]) {
    await ada.ok(args);
  }
  await ada.ok(['doctor', '--strict']);

  expect(listing(saved.root)).toEqual(before);
});

test('the CLI is one file that Node can run from anywhere', async ({ dir, ada }) => {
  expect(JVS_BIN).toMatch(/main\.js$/);
  expect((await ada.at(dir).run(['--version'], { env: { HOME: undefined, XDG_STATE_HOME: undefined } })).exitCode).toBe(
    0,
  );
});

/** Every path below `root` with size and time, but for what probes touch and what can be rebuilt. */
function listing(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/^\.jvs\/(locks|cache)(\/|$)|^\.jvs\/tmp$/.test(path))
    .map((path) => {
      const { size, mtimeMs } = lstatSync(`${root}/${path}`);
      return `${path} ${size} ${mtimeMs}`;
    })
    .toSorted();
}
