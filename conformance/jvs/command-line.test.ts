import { lstatSync, readdirSync, writeFileSync } from 'node:fs';

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
    const plain = await ada.run(args);
    const json = await ada.run([...args, '--json']);

    expect(plain).toMatchObject({ exitCode: 2, stdout: '' });
    expect(plain.stderr).toContain('jvs: E_USAGE: ');
    expect(json.exitCode).toBe(2);
    expect((JSON.parse(json.stdout) as { error: CliError }).error.code).toBe('E_USAGE');
    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('an unknown command names the nearest one', async ({ dir, ada }) => {
    const { stderr } = await ada.at(dir).run(['snapshott']);

    expect(stderr).toContain('snapshot');
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

describe('human output', () => {
  test('init', async ({ dir, ada }) => {
    expect(await ada.ok(['init', 'fresh'])).toBe(
      `Initialized JVS repository in ${dir}/fresh\n  Main worktree: ${dir}/fresh/main\n`,
    );
  });

  test('history: one line each, newest first, no header', async ({ saved, ada }) => {
    await ada.ok(['snapshot', 'second line\nnot shown', '--tag', 'nightly', '--tag', 'v2']);
    await ada.ok(['snapshot', '--consistency', 'best_effort']);

    const lines = (await ada.ok(['history'])).split('\n');

    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^\d{13}-[0-9a-f]{8} {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}\(no note\) .*\[best_effort\]/);
    expect(lines[1]).toMatch(/^\d{13}-[0-9a-f]{8} {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}second line .*\[nightly\] ?\[v2\]/);
    expect(lines[2]).toMatch(new RegExp(`^${saved.id} {2}\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d {2}first$`));
    expect(lines[3]).toBe('');
  });

  test('history without snapshots', async ({ repo, ada }) => {
    expect(await ada.ok(['history'])).toBe('No snapshots yet.\n');
    expect(await ada.ok(['history', '--json'])).toBe('[]\n');
    expect(readdirSync(`${repo.control}/descriptors`)).toEqual([]);
  });

  test('snapshot, lock, verify, doctor, worktree, audit', async ({ saved, ada }) => {
    expect(await ada.ok(['snapshot'])).toMatch(/^Created snapshot \d{13}-[0-9a-f]{8}$/m);
    expect(await ada.ok(['lock', 'renew'])).toMatch(/^Lock renewed, expires: \d{4}-/m);
    expect(await ada.ok(['lock', 'release'])).toMatch(/^Lock released on worktree 'main'$/m);
    expect(await ada.ok(['lock', 'acquire'])).toMatch(/^Lock acquired on worktree 'main'$/m);
    expect(await ada.ok(['verify', saved.id])).toMatch(new RegExp(`^${saved.id} {2}OK$`, 'm'));
    expect(await ada.ok(['doctor'])).toMatch(/^Repository is healthy\.$/m);
    expect(await ada.ok(['worktree', 'create', 'x'])).toContain(`Created worktree 'x' at ${saved.root}/worktrees/x`);
    expect(await ada.ok(['worktree', 'path', 'x'])).toBe(`${saved.root}/worktrees/x\n`);
    expect(await ada.ok(['worktree', 'list'])).toMatch(
      /^main {2}\d{13}-[0-9a-f]{8} {2}exclusive {2}held\nx {2,}\(none\) {2,}exclusive {2}free\n$/,
    );
    expect(await ada.ok(['restore', saved.id, '--name', 'y'])).toContain(
      `Restored snapshot ${saved.id} to new worktree 'y'`,
    );
    expect(await ada.ok(['audit', 'verify'])).toMatch(/^Audit chain OK: \d+ records$/m);
    expect(await ada.ok(['status'])).toMatch(/^Worktree: main$/m);
    expect(await ada.ok(['info'])).toMatch(new RegExp(`^Repository: ${saved.root}$`, 'm'));
  });
});

describe('--json has the documented fields', () => {
  const fields: [string[], string][] = [
    [
      ['info'],
      'format_version repo_id repo_root snapshot_engine default_isolation default_consistency lease_duration_ms ' +
        'renew_interval_ms max_clock_skew_ms steal_grace_ms total_snapshots total_worktrees',
    ],
    [
      ['status'],
      'worktree head_snapshot_id lock_state mine pending clean from to added removed modified mode_changed ' +
        'type_changed totals',
    ],
    [['lock', 'status'], 'state lock expires_at mine'],
    [['lock', 'renew'], 'lock expires_at'],
    [['lock', 'release'], 'worktree released'],
    [['verify'], 'checksum_valid payload_hash_valid tamper_detected severity snapshots refs chains'],
    [['verify', 'HEAD'], 'checksum_valid payload_hash_valid tamper_detected severity snapshot_id paths'],
    [['doctor'], 'healthy findings repairs kept'],
    [['audit', 'verify'], 'valid count head'],
    [['worktree', 'create', 'x'], 'name path config'],
    [['worktree', 'path'], 'name path'],
    [['restore', 'HEAD', '--name', 'y'], 'mode snapshot_id worktree path content'],
  ];

  test.for(fields)('%j', async ([args, names], { saved, ada }) => {
    const document = await ada.json<Record<string, unknown>>(args);

    expect(Object.keys(document)).toEqual(expect.arrayContaining(names.split(' ')));
    expect(saved.id).toBeTruthy();
  });

  test('lock acquire', async ({ repo, ada }) => {
    const document = await ada.json<Record<string, unknown>>(['lock', 'acquire']);

    expect(Object.keys(document)).toEqual(expect.arrayContaining(['lock', 'expires_at', 'state']));
    expect(JSON.stringify(document)).not.toContain('holder_nonce_hash');
    expect(stateRecords(repo)).toHaveLength(2);
  });

  test('info: what is, and the defaults of locks', async ({ saved, ada }) => {
    expect(await ada.json(['info'])).toMatchObject({
      format_version: 1,
      repo_root: saved.root,
      default_isolation: 'exclusive',
      default_consistency: 'quiesced',
      lease_duration_ms: 300_000,
      renew_interval_ms: 10_000,
      max_clock_skew_ms: 2000,
      steal_grace_ms: 1000,
      total_snapshots: 1,
      total_worktrees: 1,
    });
  });

  test('worktree list: an array', async ({ saved, ada }) => {
    const [main] = await ada.json<Record<string, unknown>[]>(['worktree', 'list']);

    expect(main).toMatchObject({ name: 'main', path: saved.main, head_snapshot_id: saved.id, lock_state: 'held' });
    expect(Object.keys(main ?? {})).toEqual(expect.arrayContaining(['config', 'pending']));
  });

  test('snapshot and history: descriptors, as on disk', async ({ saved, ada }) => {
    const made = await ada.json<Descriptor>(['snapshot', 'second']);
    const history = await ada.json<(Descriptor & { risk_labels: string[] })[]>(['history']);

    expect(history.map(({ snapshot_id }) => snapshot_id)).toEqual([made.snapshot_id, saved.id]);
    expect(history[0]).toEqual({ ...made, risk_labels: [] });
  });

  test('documents are pretty-printed and end in one newline', async ({ saved, ada }) => {
    for (const args of [['info'], ['history'], ['verify', saved.id]]) {
      const out = await ada.ok([...args, '--json']);
      expect(out).toBe(`${JSON.stringify(JSON.parse(out), null, 2)}\n`);
    }
  });
});

describe('notes and filters', () => {
  test('a note comes from the argument, a file, or stdin', async ({ dir, saved, ada }) => {
    writeFileSync(`${dir}/note.txt`, 'from a file\nsecond line\n');

    const argument = await ada.json<Descriptor>(['snapshot', 'R&D <v2> "q" \\ \t \u00e9 \u{1f600}']);
    const file = await ada.json<Descriptor>(['snapshot', '-F', `${dir}/note.txt`]);
    const stdin = await ada.json<Descriptor>(['snapshot', '-'], { input: 'from stdin\n' });

    expect(argument.note).toBe('R&D <v2> "q" \\ \t \u00e9 \u{1f600}');
    expect(file.note).toMatch(/^from a file\nsecond line\n?$/);
    expect(stdin.note).toMatch(/^from stdin\n?$/);
    expect(argument.parent_snapshot_id).toBe(saved.id);
  });

  test('history -n, --grep, --tag, --all', async ({ saved, ada }) => {
    await ada.ok(['snapshot', 'second', '--tag', 'v2']);
    await ada.ok(['snapshot', 'third']);
    await ada.ok(['worktree', 'create', 'side', '--from', saved.id]);
    await ada.ok(['lock', 'acquire', '--worktree', 'side']);
    await ada.ok(['snapshot', 'sideways', '--worktree', 'side']);
    const notes = async (...args: string[]) =>
      (await ada.json<Descriptor[]>(['history', ...args])).map(({ note }) => note);

    expect(await notes()).toEqual(['third', 'second', 'first']);
    expect(await notes('-n', '2')).toEqual(['third', 'second']);
    expect(await notes('--grep', '^sec')).toEqual(['second']);
    expect(await notes('--tag', 'v2')).toEqual(['second']);
    expect(await notes('--worktree', 'side')).toEqual(['sideways', 'first']);
    expect((await notes('--all')).toSorted()).toEqual(['first', 'second', 'sideways', 'third']);
  });

  test('audit show -n, --operation, --since', async ({ saved, ada }) => {
    const operations = async (...args: string[]) =>
      (await ada.json<{ operation: string }[]>(['audit', 'show', ...args])).map(({ operation }) => operation);

    expect((await operations()).toSorted()).toEqual(['lock_acquire', 'repo_init', 'snapshot']);
    expect(await operations('-n', '1')).toEqual(['snapshot']);
    expect(await operations('--operation', 'lock_acquire')).toEqual(['lock_acquire']);
    expect(await operations('--since', '2999-01-01T00:00:00Z')).toEqual([]);
    const lines = (await ada.ok(['audit', 'show'])).trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines.join('\n')).toContain(saved.id);
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
