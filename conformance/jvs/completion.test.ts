import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { hasProgram } from '@jvs/services';
import { JVS_BIN, test as base, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

type Shell = 'bash' | 'zsh' | 'fish';

/** What a shell offers, and whether that is files. */
type Complete = (shell: Shell, words: readonly string[], user: User) => string[];

const test = base.extend<{ complete: Complete }>({
  complete: async ({ dir }, use) => {
    const bin = `${dir}/bin`;
    mkdirSync(bin);
    writeFileSync(`${bin}/jvs`, `#!/bin/sh\nexec "${process.execPath}" "${JVS_BIN}" "$@"\n`);
    chmodSync(`${bin}/jvs`, 0o755);
    await use((shell, words, user) => {
      const { args, script } = SHELLS[shell];
      const env = { ...user.env, PATH: `${bin}${delimiter}${process.env['PATH']}`, TZ: 'UTC' };
      const { stdout, stderr } = spawnSync(shell, [...args, script, ...SHELL_NAME[shell], ...words], {
        cwd: user.cwd,
        env,
        encoding: 'utf8',
        timeout: 30_000,
      });
      expect(stderr).toBe('');
      return stdout.split('\n').slice(0, -1);
    });
  },
});

/** `-c` takes a name for the script before its arguments, except in fish. */
const SHELL_NAME: Record<Shell, string[]> = { bash: ['bash'], zsh: ['zsh'], fish: [] };

/** Each prints a line for each word that it would offer after the words in its arguments, and FILES where it asks for files. */
const SHELLS: Record<Shell, { args: string[]; script: string }> = {
  bash: {
    args: ['--norc', '-c'],
    script: `
      source <(jvs completion bash)
      compopt() { echo FILES; }
      COMP_WORDS=(jvs "$@"); COMP_CWORD=$#
      _jvs_complete
      [[ \${#COMPREPLY[@]} == 0 ]] || printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  zsh: {
    args: ['-f', '-c'],
    script: `
      compdef() { [[ "$*" == '_jvs_complete jvs' ]] || echo "compdef $*"; }
      _files() { echo FILES; }
      compadd() { print -rl -- "\${displays[@]}"; }
      eval "$(jvs completion zsh)"
      words=(jvs "$@"); CURRENT=$#words; PREFIX=$words[-1]
      _jvs_complete || true`,
  },
  fish: {
    args: ['--no-config', '-c'],
    script: `
      jvs completion fish | source
      function __fish_complete_path; echo FILES; end
      complete -C "jvs $argv"`,
  },
};

const SHELLS_HERE = (['bash', 'zsh', 'fish'] as const).filter((shell) => hasProgram(shell));

describe.each(SHELLS_HERE)('in %s', (shell) => {
  test('snapshots are offered newest first with time and note, after HEAD and refs', async ({
    saved,
    ada,
    complete,
  }) => {
    await ada.ok(['ref', 'create', 'base', saved.id, '--note', 'to compare with']);
    const { snapshot_id: newer } = await ada.json<{ snapshot_id: string }>(['snapshot', 'it: works\nreally']);

    const lines = complete(shell, ['restore', ''], ada);

    expect(lines.map((line) => line.split(/\s/, 1)[0])).toEqual(['HEAD', 'HEAD~1', 'base', newer, saved.id]);
    if (shell === 'bash') return;
    expect(lines[2]).toMatch(new RegExp(`^base\\s+${saved.id}  to compare with$`));
    expect(lines[3]).toMatch(/^\S+\s+\d{4}-\d\d-\d\d \d\d:\d\d {2}it: works$/);
  });

  test('what has been typed narrows it down', async ({ saved, ada, complete }) => {
    await ada.ok(['worktree', 'create', 'experiment']);

    expect(complete(shell, ['worktree', 'rename', 'ex'], ada)).toEqual([expect.stringMatching(/^experiment\s*$/)]);
    expect(complete(shell, ['verify', saved.id.slice(0, 8)], ada)).toEqual([expect.stringMatching(saved.id)]);
    expect(complete(shell, ['diff', 'HEAD', '--exi'], ada)).toEqual([expect.stringMatching(/^--exit-code\b/)]);
    expect(complete(shell, ['lo'], ada)).toEqual([expect.stringMatching(/^lock\b/)]);
  });

  test('files are offered where nothing else is known, and nothing where only new names fit', ({
    saved,
    ada,
    complete,
  }) => {
    mkdirSync(`${saved.main}/sub`);

    expect(complete(shell, ['lock', 'exec', '--', ''], ada)).toEqual(['FILES']);
    expect(complete(shell, ['init', 'x', '--import', ''], ada)).toEqual(['FILES']);
    expect(complete(shell, ['worktree', 'create', ''], ada)).toEqual([]);
  });

  test('outside a repository it is silent', ({ dir, ada, complete }) => {
    expect(complete(shell, ['restore', ''], ada.at(dir))).toEqual([]);
  });
});

/** Asks as the scripts do. */
async function ask(user: User, ...typed: string[]): Promise<string[]> {
  const { stdout, stderr, exitCode } = await user.run(['__complete', '--', ...typed]);
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  return stdout.split('\n').slice(0, -1);
}

const words = (lines: readonly string[]): string[] => lines.map((line) => line.split('\t', 1)[0] ?? '');

describe('names that a command works on', () => {
  base('worktrees, wherever one is asked for', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'x', '--label', 'to try things']);

    const expected = ['main\t', 'x\tto try things'];
    expect(await ask(ada, 'worktree', 'remove', '')).toEqual(expected);
    expect(await ask(ada, 'wt', 'path', '')).toEqual(expected);
    expect(await ask(ada, 'snapshot', '--worktree', '')).toEqual(expected);
    expect(await ask(ada, 'history', '--worktree=x')).toEqual(['--worktree=x\tto try things']);
    expect(await ask(ada.at(saved.root), '-C', 'main', 'worktree', 'rename', '')).toEqual(expected);
    expect(await ask(ada.at('/'), '-C', saved.root, 'worktree', 'rename', '')).toEqual(expected);
  });

  base('snapshots, wherever one is asked for', async ({ saved, ada }) => {
    for (const line of [
      ['diff', ''],
      ['diff', 'HEAD', ''],
      ['fork', ''],
      ['verify', '--snapshot', ''],
      ['ref', 'create', 'r', ''],
      ['worktree', 'create', 'y', '--from', ''],
      ['gc', 'pin', ''],
      ['restore', '--name', 'z', ''],
    ]) {
      expect(words(await ask(ada, ...line))).toEqual(['HEAD', 'HEAD~1', saved.id]);
    }
  });

  base('refs, pins, plans, tags, operations and choices', async ({ saved, ada }) => {
    await ada.ok(['ref', 'create', 'base', saved.id]);
    await ada.ok(['snapshot', '--tag', 'nightly', '--tag', 'v2']);
    const { pin_id: pin } = await ada.json<{ pin_id: string }>(['gc', 'pin', saved.id, '--reason', 'audit of May']);
    const { plan_id: plan } = await ada.json<{ plan_id: string }>(['gc', 'plan']);

    expect(await ask(ada, 'ref', 'delete', '')).toEqual([`base\t${saved.id}`]);
    expect(await ask(ada, 'gc', 'unpin', '')).toEqual([`${pin}\t${saved.id}  audit of May`]);
    expect(await ask(ada, 'gc', 'run', '--plan-id', '')).toEqual([expect.stringMatching(`^${plan}\t.* 0 to delete$`)]);
    expect(await ask(ada, 'gc', 'run', '--abandon', plan.slice(0, 3))).toHaveLength(1);
    expect(words(await ask(ada, 'history', '--tag', ''))).toEqual(['nightly', 'v2']);
    expect(words(await ask(ada, 'audit', 'show', '--operation', 'lock_'))).toEqual([
      'lock_acquire',
      'lock_renew',
      'lock_steal',
      'lock_release',
    ]);
    expect(words(await ask(ada, 'snapshot', '--consistency', ''))).toEqual(['quiesced', 'best_effort']);
  });
});

describe('asking', () => {
  base('leaves every file as it is, and makes none', async ({ saved, ada }) => {
    rmSync(`${saved.control}/tmp`, { recursive: true });
    const before = filesOf(saved.root);

    await ask(ada, 'restore', '');
    await ask(ada, 'snapshot', '--worktree', '');
    await ask(ada, 'history', '--tag', '');

    expect(filesOf(saved.root)).toEqual(before);
  });

  base('is silent about damage, and leaves out what cannot be read', async ({ saved, ada }) => {
    writeFileSync(`${saved.control}/refs/odd`, 'no directory');
    mkdirSync(`${saved.control}/refs/empty`);
    writeFileSync(`${saved.control}/descriptors/${saved.id}.json`, '{');
    writeFileSync(`${saved.control}/format_version`, '7\n');

    expect(words(await ask(ada, 'restore', ''))).toEqual(['HEAD', 'HEAD~1', saved.id]);
    expect(await ask(ada, 'ref', 'delete', '')).toEqual([]);
  });

  base('hides what is in publication', async ({ saved, ada }) => {
    const killed = await ada.run(['snapshot'], { env: { JVS_FAILPOINT: 'publish:descriptor=kill' } });
    expect(killed.signal).toBe('SIGKILL');
    expect(readdirSync(`${saved.control}/descriptors`)).toHaveLength(2);

    expect(words(await ask(ada, 'restore', '1'))).toEqual([saved.id]);
  });

  base('reads no more of many snapshots than it shows', async ({ saved, ada }) => {
    const descriptor = readFileSync(`${saved.control}/descriptors/${saved.id}.json`, 'utf8');
    for (let ms = 0; ms < 1000; ms += 1) {
      const id = `${1_700_000_000_000 + ms}-0a1b2c3d`;
      writeFileSync(`${saved.control}/descriptors/${id}.json`, descriptor.replaceAll(saved.id, id));
    }

    const lines = await ask(ada, 'restore', '17000');

    expect(lines).toHaveLength(1000);
    expect(lines[0]).toBe('1700000000999-0a1b2c3d\t2023-11-14 22:13  first');
    expect(lines[500]).toBe('1700000000499-0a1b2c3d\t2023-11-14 22:13');
  });
});

/** Every file with the times of its last changes, directories included. */
function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => {
      const { size, mtimeMs, ctimeMs } = statSync(`${root}/${path}`);
      return `${path} ${size} ${mtimeMs} ${ctimeMs}`;
    })
    .toSorted();
}
