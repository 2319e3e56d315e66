import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCode } from '@jvs/platform/errors';
import { build } from 'tsup';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleApp } from '../../../tooling/tsup/app.ts';

const FIXTURE = fileURLToPath(new URL('fixtures/toy-cli.ts', import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), 'jvs-completion-'));
const TOY = join(FOLDER, 'toy.js');

beforeAll(async () => {
  await build({ ...bundleApp({ toy: FIXTURE }), outDir: FOLDER, config: false, silent: true });
  writeFileSync(join(FOLDER, 'package.json'), '{ "type": "module" }');
});

afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

interface Answer {
  words: string[];
  /** Whether the shell is to offer files. */
  files: boolean;
}

/** Asks as the scripts do; the last word is the one at the cursor. */
function ask(...typed: string[]): Answer & { lines: string[] } {
  const { status, stdout, stderr } = run(['__complete', '--', ...typed]);
  expect(stderr).toBe('');
  expect([0, 1]).toContain(status);
  const lines = stdout.split('\n').slice(0, -1);
  return { words: lines.map((line) => line.split('\t', 1)[0] ?? ''), files: status === 1, lines };
}

function run(line: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [TOY, ...line], {
    encoding: 'utf8',
    cwd: FOLDER,
    env: { PATH: process.env['PATH'], HOME: FOLDER },
  });
}

describe('what is offered', () => {
  test.each<[what: string, typed: string[], expected: Answer]>([
    ['commands', ['ec'], { words: ['echo'], files: false }],
    ['the commands of a group', ['lock', ''], { words: ['hold'], files: false }],
    ['a command after flags', ['--json', '-C', FOLDER, 'fl'], { words: ['flood'], files: false }],
    ['flags', ['echo', '--le'], { words: ['--lease-ms'], files: false }],
    [
      'both spellings behind one dash',
      ['echo', '-'],
      { words: expect.arrayContaining(['-n', '--limit', '-C']), files: false },
    ],
    ['flags of every command', ['--deb'], { words: ['--debug'], files: false }],
    ['no flag twice', ['echo', '--mode', 'fast', '--mo'], { words: [], files: false }],
    ['a flag twice that may be repeated', ['echo', '--tag', 'a', '--ta'], { words: ['--tag'], files: false }],
    ['choices of a flag', ['echo', '--mode', ''], { words: ['fast', 'safe'], files: false }],
    ['choices behind the sign', ['echo', '--mode=s'], { words: ['--mode=safe'], files: false }],
    ['choices where bash has broken the word', ['echo', '--mode', '=', 's'], { words: ['safe'], files: false }],
    ['choices right behind the sign in bash', ['echo', '--mode', '='], { words: ['fast', 'safe'], files: false }],
    ['choices of an argument', ['completion', ''], { words: ['bash', 'zsh', 'fish'], files: false }],
    ['names that the app knows', ['echo', '--tag', ''], { words: ['rose', 'dandelion'], files: false }],
    ['names that begin as typed', ['echo', 'x', '--tag', 'da'], { words: ['dandelion'], files: false }],
    ['files where nothing is declared', ['echo', ''], { words: [], files: true }],
    ['files for a value of which nothing is known', ['-C', ''], { words: [], files: true }],
    ['nothing for a number', ['echo', '--lease-ms', ''], { words: [], files: false }],
    ['nothing where only something new fits', ['echo', '--limit', ''], { words: [], files: false }],
    ['nothing behind the last argument', ['echo', 'x', ''], { words: [], files: false }],
    ['no flags behind --', ['echo', '--', '--mo'], { words: [], files: true }],
    ['nothing when asking fails', ['fail', ''], { words: [], files: false }],
    [
      'nothing in a directory that is not there',
      ['-C', '/nowhere/at/all', 'echo', '--tag', ''],
      { words: [], files: false },
    ],
  ])('%s', (_what, typed, { words, files }) => {
    expect(ask(...typed)).toMatchObject({ words, files });
  });

  test('reads quotes, backslashes and ~ as the shell will', () => {
    mkdirSync(join(FOLDER, 'a b'));

    expect(ask('-C', '"a b"', 'ec').words).toEqual(['echo']);
    expect(ask('-C', 'a\\ b', 'ec').words).toEqual(['echo']);
    expect(ask('-C', '~/a\\ b', 'ec').words).toEqual(['echo']);
  });

  test('has a line for each, with what it is in a few words and nothing that steers a terminal', () => {
    expect(ask('echo', '--tag', '').lines).toEqual([
      'rose\tis a rose: is a\\x07 rose',
      `dandelion\t${'x'.repeat(71)}…`,
    ]);
  });
});

test.each([
  ['bash', ['-n']],
  ['zsh', ['-n']],
  ['fish', ['--no-execute']],
] as const)('the script for %s is one that it can read', (shell, flags) => {
  const script = join(FOLDER, `completion.${shell}`);
  writeFileSync(script, run(['completion', shell]).stdout);

  const { error, status, stderr } = spawnSync(shell, [...flags, script], { encoding: 'utf8' });

  // bash is everywhere; the others are judged where they are installed.
  if (hasCode(error, 'ENOENT') && shell !== 'bash') return;
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
