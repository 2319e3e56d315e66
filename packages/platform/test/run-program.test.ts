import { Buffer } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from '@jvs/testkit';
import { expect } from 'vitest';
import { pipePrograms, runProgram, tryProgram } from '../src/run-program.ts';

test('returns what the program printed', async () => {
  expect(await runProgram('printf', ['%s|%s', 'two words', '$HOME;*'])).toBe('two words|$HOME;*');
});

test('hands over input', async () => {
  expect(await runProgram('cat', [], { input: Buffer.from('given \u00e9') })).toBe('given \u00e9');
});

test('speaks the C locale, so that messages can be understood', async () => {
  expect(await runProgram('sh', ['-c', 'echo $LC_ALL'])).toBe('C\n');
});

test('a failure tells the status, the last words and the errno', async () => {
  const failed = runProgram('ls', ['/no/such/place']);

  await expect(failed).rejects.toMatchObject({
    code: 'ENOENT',
    message: expect.stringMatching(/^ls ended with status 2: .*no\/such/),
  });
});

test('a failure without known words is an I/O error', async () => {
  await expect(runProgram('false', [])).rejects.toMatchObject({ code: 'EIO' });
});

test('a signal that ended it is named', async () => {
  await expect(runProgram('sh', ['-c', 'kill -TERM $$'])).rejects.toThrow('SIGTERM');
});

test('a missing program is our own class, with what to do', async () => {
  await expect(runProgram('no-such-program-of-ours', [])).rejects.toMatchObject({
    code: 'E_IO',
    hint: expect.stringContaining('Install'),
  });
});

test('ends the program, deaf ones and their children too, before it tells of an abort', async ({ dir }) => {
  const abort = new AbortController();
  const script = `trap '' TERM INT; sleep 60 & echo $! $$ > '${dir}/made'; mv '${dir}/made' '${dir}/pids'; wait`;
  const running = runProgram('sh', ['-c', script], { signal: abort.signal });
  running.catch(() => undefined);
  while (!existsSync(`${dir}/pids`)) await delay(5);
  const pids = readFileSync(`${dir}/pids`, 'utf8').trim().split(' ').map(Number);
  expect(pids.map(isRunning)).toEqual([true, true]);
  abort.abort();

  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
  // Their files are closed, so they write no more; the kernel takes a moment longer over the rest.
  await expect.poll(() => pids.map(isRunning)).toEqual([false, false]);
});

test('an interruption of our process group does not reach the program', async () => {
  // Field 5 of proc_pid_stat(5) is the process group.
  const group = await runProgram('cut', ['-d ', '-f5', '/proc/self/stat']);
  const ours = readFileSync('/proc/self/stat', 'utf8').split(' ')[4];

  expect(Number(group)).toBeGreaterThan(0);
  expect(group.trim()).not.toBe(ours);
});

test('of very many complaints the first are told, each of them whole', async () => {
  const line = 'one complaint of many';
  const { complaints } = await tryProgram('sh', ['-c', `yes '${line}' | head -n 40000 >&2`]);

  expect(new Set(complaints)).toEqual(new Set([line]));
  expect(complaints.length).toBeGreaterThan(10_000);
});

test('without throwing, a failure is a status and what was said', async () => {
  expect(await tryProgram('sh', ['-c', 'echo one >&2; echo two >&2; exit 3'])).toEqual({
    status: 3,
    killedBy: null,
    complaints: ['one', 'two'],
  });
});

test('one program reads what the other one prints, each in its own directory', async ({ dir }) => {
  const results = await pipePrograms(['pwd'], ['tee', 'printed'], { cwd: '/', toCwd: dir });

  expect(results.map(({ status }) => status)).toEqual([0, 0]);
  expect(readFileSync(`${dir}/printed`, 'utf8')).toBe('/\n');
});

/** Zombies have ended. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('does not start at all when aborted before', async ({ dir }) => {
  const running = runProgram('touch', [`${dir}/made`], { signal: AbortSignal.abort() });

  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
  await expect(runProgram('ls', [dir])).resolves.toBe('');
});
