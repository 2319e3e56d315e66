import { Buffer } from 'node:buffer';
import { test } from '@jvs/testkit';
import { expect } from 'vitest';
import { errnoIn, runProgram } from '../src/run-program.ts';

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

test('a failure without known words has no errno', async () => {
  await expect(runProgram('false', [])).rejects.toMatchObject({ code: undefined });
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

test('ends the program when aborted', async () => {
  const abort = new AbortController();
  const running = runProgram('sleep', ['60'], { signal: abort.signal });
  abort.abort();

  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
});

test('does not start at all when aborted before', async ({ dir }) => {
  const running = runProgram('touch', [`${dir}/made`], { signal: AbortSignal.abort() });

  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
  await expect(runProgram('ls', [dir])).resolves.toBe('');
});

test.for([
  ['cp: error writing: No space left on device', 'ENOSPC'],
  ['cp: Disk quota exceeded', 'EDQUOT'],
  ['mkdir: Read-only file system', 'EROFS'],
  ['all is well', undefined],
] as const)('%j means %s', ([text, errno]) => {
  expect(errnoIn(text)).toBe(errno);
});
