import { lstatSync, readdirSync } from 'node:fs';

import { JVS_BIN, stateRecords, test, type CliError, type Descriptor } from '@jvs/testkit';
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
