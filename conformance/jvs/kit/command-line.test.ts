import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { test, type User } from '@jvs/testkit';
import { describe } from 'vitest';

interface Report {
  profile: string;
  passed: number;
  failed: number;
  results: { check: number; status: string; error: { class: string; message: string; reproduce: string[] } | null }[];
}

/** A program that starts, and does nothing. */
function idleProgram(dir: string): string {
  const path = `${dir}/idle`;
  writeFileSync(path, '#!/bin/sh\necho 1.0.0\n');
  chmodSync(path, 0o755);
  return path;
}

/** It starts many programs, and on a busy machine each waits for its turn. */
const PATIENCE = { timeoutMs: 150_000 };

const conformance = (user: User, ...args: string[]) => user.run(['conformance', 'run', ...args], PATIENCE);

describe.concurrent('jvs conformance run', { timeout: 180_000 }, () => {
  test('judges this very program, a line per check in their order', async ({ dir, ada, expect }) => {
    const result = await conformance(ada, '--only', '27,1', '--dir', '.');

    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    const lines = result.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^ok {6}1 {2}second acquire on a locked worktree {2}/);
    expect(lines[1]).toMatch(/^ok {5}27 {2}init {2}/);
    expect(lines[2]).toBe('2 passed, 0 failed (profile dev)');
    expect(readdirSync(dir)).toEqual(['home-ada']);
  });

  test('shows what a failed check expected, the class, and how to do it again; exits 1', async ({
    dir,
    ada,
    expect,
  }) => {
    const result = await conformance(ada, '--only', '1', '--bin', idleProgram(dir));

    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(/^FAILED {2}1 {2}second acquire/);
    expect(result.stdout).toContain('expected: E_LOCK_CONFLICT');
    expect(result.stdout).toMatch(/ E_CHECK_FAILED: .*lock acquire/);
    expect(result.stdout).toContain(`JVS=${dir}/idle`);
    expect(result.stdout).toContain('$ada $JVS lock acquire');
    expect(result.stdout).toContain('0 passed, 1 failed');
    expect(result.stderr).toContain('jvs: E_CHECK_FAILED: 1 of 1 checks failed: 1\n');
  });

  test('--json is one document, whether checks pass', async ({ ada, expect }) => {
    const report = await ada.json<Report>(['conformance', 'run', '--only', '27'], PATIENCE);

    expect(report).toMatchObject({ profile: 'dev', passed: 1, failed: 0, filesystems: [] });
    expect(report.results).toMatchObject([{ check: 27, title: 'init', status: 'passed', error: null }]);
  });

  test('--json is one document, or fail', async ({ dir, ada, expect }) => {
    const bin = idleProgram(dir);

    const report = await ada.unhealthy<Report>(['conformance', 'run', '--only', '27,10', '--bin', bin], PATIENCE);

    expect(report).toMatchObject({
      passed: 0,
      failed: 2,
      error: { code: 'E_CHECK_FAILED', details: { checks: [10, 27] } },
    });
    expect(report.results.map(({ check, status }) => [check, status])).toEqual([
      [10, 'failed'],
      [27, 'failed'],
    ]);
    for (const { error } of report.results) expect(error?.reproduce.length).toBeGreaterThan(3);
  });

  test('a program that has no failpoints fails the checks that need them, and is told why', async ({
    dir,
    ada,
    expect,
  }) => {
    const wrapper = `${dir}/without-failpoints`;
    const bin = process.env['JVS_BIN'] ?? new URL('../../../apps/jvs/dist/main.js', import.meta.url).pathname;
    writeFileSync(wrapper, `#!/bin/sh\nunset JVS_FAILPOINT\nexec ${process.execPath} ${bin} "$@"\n`);
    chmodSync(wrapper, 0o755);

    const report = await ada.unhealthy<Report>(['conformance', 'run', '--only', '21,24', '--bin', wrapper], PATIENCE);

    const told = report.results.map(({ check, error }) => [check, error?.message ?? 'passed']);
    expect(told).toEqual([
      [21, expect.stringContaining('the failpoint publish:descriptor')],
      [24, 'passed'],
    ]);
  });

  test('of a program that does not start is E_NOT_FOUND', async ({ dir, ada, expect }) => {
    const error = await ada.fails(['conformance', 'run', '--bin', `${dir}/nothing`], 'E_NOT_FOUND');

    expect(error.message).toContain(`${dir}/nothing`);
  });

  test.for([
    ['--only', 'three'],
    ['--only', '30'],
    ['--profile', 'quick'],
  ])('%s %s is a usage error', async ([flag, value], { ada, expect }) => {
    const result = await conformance(ada, flag ?? '', value ?? '');

    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
  });

  test('an interruption ends it with 130 and leaves nothing', async ({ dir, ada, expect }) => {
    const running = ada.start(['conformance', 'run', '--only', '10', '--dir', dir]);
    while (!readdirSync(dir).some((name) => name.startsWith('jvs-conformance-'))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    process.kill(running.pid, 'SIGINT');

    expect(await running.result).toMatchObject({ exitCode: 130 });
    expect(readdirSync(dir)).toEqual(['home-ada']);
  });
});
