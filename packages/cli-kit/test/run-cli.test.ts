import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleApp } from '../../../tooling/tsup/app.ts';

const FIXTURE = fileURLToPath(new URL('fixtures/toy-cli.ts', import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), 'jvs-toy-cli-'));
const TOY = join(FOLDER, 'toy.js');
const ENVIRONMENT = { PATH: process.env['PATH'] };

// Bundled as our apps are, so that what is tested here is what they ship.
beforeAll(async () => {
  await build({ ...bundleApp({ toy: FIXTURE }), outDir: FOLDER, config: false, silent: true });
  writeFileSync(join(FOLDER, 'package.json'), '{ "type": "module" }');
});

afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

function toy(line: string[], env: Record<string, string> = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [TOY, ...line], {
    encoding: 'utf8',
    env: { ...ENVIRONMENT, ...env },
    timeout: 15_000,
  });
}

describe('the line', () => {
  test('mixes flags and arguments, and hands them over under their own types', () => {
    const { stdout, status } = toy([
      'echo',
      '--json',
      'hello',
      '--tag',
      'a',
      '--tag',
      'b',
      '--keep-tag',
      'c',
      '--keep-tag',
      'd',
      '--lease-ms',
      '5',
      '-n',
      '3',
    ]);

    expect(JSON.parse(stdout)).toMatchObject({
      note: 'hello',
      tag: ['a', 'b'],
      keepTag: ['c', 'd'],
      leaseMs: 5,
      limit: 3,
      noPayload: false,
    });
    expect(status).toBe(0);
  });

  test.each([
    ['a word that looks like a flag', ['--', '--odd'], '--odd'],
    ['a lone dash', ['-'], '-'],
    ['digits', ['007'], '007'],
    ['nothing', [''], ''],
    ['quotes that the shell left', ['"quoted"'], '"quoted"'],
    ['a word with an equals sign', ['--', '--json=true'], '--json=true'],
  ])('keeps an argument that is %s', (_, words, note) => {
    expect(JSON.parse(toy(['--json', 'echo', ...words]).stdout)).toMatchObject({ note });
  });

  test('takes --no-… flags as flags of their own', () => {
    expect(JSON.parse(toy(['echo', '--no-payload', '--no-color', '--json']).stdout)).toMatchObject({ noPayload: true });
  });

  test('works as if started in the directory of -C', () => {
    expect(JSON.parse(toy(['-C', '/', 'echo', '--json']).stdout)).toMatchObject({ cwd: '/' });
    expect(toy(['-C', '/no/such/place', 'echo'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('E_USAGE: -C /no/such/place is no directory to work in\n  caused by: ENOENT'),
    });
  });

  test.each([
    [[], 'No command is given', 'See toy --help.'],
    [['bogus'], 'Unknown command: bogus', 'See toy --help.'],
    [['ecko'], 'Unknown command: ecko', 'Did you mean echo?'],
    [['lock', 'hol'], 'Unknown command: lock hol', 'Did you mean lock hold?'],
    [['echo', '--jsn'], 'Unknown flag: --jsn', 'Did you mean --json?'],
    [['--no-such', 'echo'], 'Unknown flag: --no-such', 'See toy echo --help.'],
    [['echo', '--lease-m', '3'], 'Unknown flag: --lease-m', 'Did you mean --lease-ms?'],
    [['echo', 'a', 'b'], 'One argument too many: b', 'See toy echo --help.'],
    [['echo', '--', '-a', '-b'], 'One argument too many: -b', 'See toy echo --help.'],
    [['fail'], 'An argument is missing: toy fail <how>', 'See toy fail --help.'],
    [['echo', '--tag'], '--tag wants a value', 'See toy echo --help.'],
    [['echo', '--mode', 'x'], '--mode is "x", but can only be one of: fast, safe', 'See toy echo --help.'],
    [['echo', '--mode', 'fast', '--mode', 'safe'], '--mode is given more than once', undefined],
    [['echo', '-n', 'abc'], '-n wants a number', undefined],
  ])('refuses %j with status 2', (line, message, hint) => {
    const plain = toy(line);
    const json = toy(['--json', ...line]);

    const hintLine = hint === undefined ? '' : `hint: ${hint}\n`;
    expect(plain).toMatchObject({ status: 2, stdout: '', stderr: `toy: E_USAGE: ${message}\n${hintLine}` });
    expect(JSON.parse(json.stdout)).toEqual({ error: { code: 'E_USAGE', message, hint: hint ?? null, details: {} } });
    expect(json.status).toBe(2);
  });

  test('is read though the working directory is gone, if -C leads to another one', () => {
    const gone = mkdtempSync(join(FOLDER, 'gone-'));
    const inGone = (words: string): SpawnSyncReturns<string> =>
      spawnSync(
        'bash',
        ['-c', `cd "$1" && rmdir "$1" && exec "$2" "$3" ${words}`, 'bash', gone, process.execPath, TOY],
        {
          encoding: 'utf8',
          env: ENVIRONMENT,
        },
      );
    const message = 'toy: E_USAGE: The working directory no longer exists\n';
    const again = (): void => mkdirSync(gone);

    expect(inGone('echo')).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining(message) });
    again();
    expect(JSON.parse(inGone('--json echo').stdout)).toMatchObject({ error: { code: 'E_USAGE' } });
    for (const words of ['-C / echo --json', 'echo --json -C=/', 'echo --json -C "/"']) {
      again();
      expect(JSON.parse(inGone(words).stdout)).toMatchObject({ cwd: '/' });
    }
    again();
    expect(inGone('-C no/such echo')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('E_USAGE: -C no/such'),
    });
    again();
    expect(inGone('echo -- -C /')).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
  });

  test('answers --version and --help, which shows examples and exit codes', () => {
    expect(toy(['--version'])).toMatchObject({ status: 0, stdout: '1.2.3\n' });

    const help = toy(['echo', '--help']);
    expect(help.status).toBe(0);
    expect(help.stdout).toMatch(/^toy echo \[note\] \[flags\]\n/);
    expect(help.stdout).toMatch(/--lease-ms +how long/);
    expect(help.stdout).toContain('toy echo hello  say hello');
    expect(help.stdout).toMatch(/Exit codes:\n {2}0 +success/);
  });
});

describe('failures', () => {
  test('show code, causes and hint, with control characters made visible, and the exit status of the table', () => {
    const { status, stdout, stderr } = toy(['fail', 'coded']);

    expect(stderr).toBe('toy: E_TOY: Bad\\nnews\n  caused by: the root\\x1b[2J\nhint: Try again.\n');
    expect({ status, stdout }).toEqual({ status: 7, stdout: '' });
  });

  test('are one JSON document on stdout with --json, besides the text', () => {
    const { stdout, stderr } = toy(['--json', 'fail', 'coded']);

    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'E_TOY', message: 'Bad\nnews', hint: 'Try again.', details: { path: 'a/b' } },
    });
    expect(stderr).toContain('toy: E_TOY: ');
  });

  test('of system calls are E_IO with errno and path', () => {
    const { status, stdout } = toy(['--json', 'fail', 'errno']);

    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'E_IO',
      details: { errno: 'ENOENT', path: '/nowhere/at/all', syscall: 'open' },
    });
    expect(status).toBe(1);
  });

  test('that a result tells of have the exit status of the table too', () => {
    expect(toy(['check'])).toMatchObject({
      status: 7,
      stdout: 'damage\n',
      stderr: 'toy: E_TOY: Something is damaged\n',
    });
    expect(JSON.parse(toy(['check', '--json']).stdout)).toMatchObject({ damaged: ['a'], error: { code: 'E_TOY' } });
  });

  test.each(['bug', 'later'])('without a code are bugs of ours and show their stack (%s)', (how) => {
    const { status, stderr } = toy(['fail', how]);

    expect(stderr).toMatch(/^toy: E_INTERNAL: .*\n {4}at .*toy\.js/);
    expect(status).toBe(1);
  });
});

describe('signals', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s stops the work and is told by status %i', async (signal, status) => {
    const child = spawn(process.execPath, [TOY, 'wait'], { env: ENVIRONMENT });
    await once(child.stdout, 'data');
    child.kill(signal);

    expect(await once(child, 'exit')).toEqual([status, null]);
  });

  test('a second one ends a command that does not listen', async () => {
    const child = spawn(process.execPath, [TOY, 'wait', '--deaf'], { env: ENVIRONMENT });
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGTERM');

    expect(await once(child, 'exit')).toEqual([130, null]);
  });

  test('a reader that goes away ends the program quietly', async () => {
    const child = spawn(process.execPath, [TOY, 'flood'], { env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    await once(child.stdout, 'data');
    child.stdout.destroy();

    expect(await once(child, 'close')).toEqual([0, null]);
    expect(stderr).toBe('');
  });
});

describe('stderr', () => {
  test('has warnings and nothing else by default, and not even those with --quiet', () => {
    expect(toy(['work'])).toMatchObject({ stdout: 'done\n', stderr: 'toy: warning: careful\\x07\n' });
    expect(toy(['work', '--quiet'])).toMatchObject({ stdout: 'done\n', stderr: '' });
  });

  test('on a terminal has a status line, which makes room for warnings and goes away', () => {
    const command = `${process.execPath} ${TOY} work --warn --no-color`;
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8', env: ENVIRONMENT });

    expect(stdout).toContain('\rHashing\u001b[K\r\u001b[Ktoy: warning: odd\r\n');
    expect(stdout.endsWith('\r\u001b[Kdone\r\n')).toBe(true);
  });

  test('has one event a line with --progress=json', () => {
    const lines = toy(['work', '--progress=json']).stderr.trim().split('\n').slice(1);

    expect(lines.map((line) => JSON.parse(line).type)).toEqual(['phase', 'planned', 'advanced']);
  });

  test('has the log with --debug', () => {
    expect(JSON.parse(toy(['work', '--debug']).stderr.split('\n')[0] ?? '')).toMatchObject({
      files: 2,
      msg: 'planned',
    });
  });
});

describe('JVS_FAILPOINT', () => {
  test.each([
    ['exit', { status: 70, signal: null }],
    ['kill', { status: null, signal: 'SIGKILL' }],
  ])('lets the program end by %s', (action, expected) => {
    expect(toy(['fail', 'point'], { JVS_FAILPOINT: `toy:step=${action}` })).toMatchObject(expected);
  });

  test('lets a step fail as a system call does', () => {
    const { stdout } = toy(['--json', 'fail', 'point'], { JVS_FAILPOINT: 'toy:step=error:ENOSPC' });

    expect(JSON.parse(stdout).error).toMatchObject({ code: 'E_IO', details: { errno: 'ENOSPC' } });
  });

  test('lets the program stop until it is told to go on', async () => {
    const env = { ...ENVIRONMENT, JVS_FAILPOINT: 'toy:step=stop' };
    const child = spawn(process.execPath, [TOY, 'fail', 'point'], { env });
    const exited = once(child, 'exit');
    const awake = setInterval(() => child.kill('SIGCONT'), 100);

    expect(await exited).toEqual([0, null]);
    clearInterval(awake);
  });

  test.each(['toy:step', 'toy:step=explode', '=kill', 'toy:step=error:'])('refuses %j', (value) => {
    expect(toy(['echo'], { JVS_FAILPOINT: value })).toMatchObject({ status: 2 });
  });

  test('does nothing at other steps', () => {
    expect(toy(['fail', 'point'], { JVS_FAILPOINT: 'other:step=kill' })).toMatchObject({
      status: 0,
      stdout: 'went on\n',
    });
  });
});
