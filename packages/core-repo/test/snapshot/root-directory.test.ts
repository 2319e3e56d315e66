import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, utimesSync, writeFileSync } from 'node:fs';
import { test } from '@jvs/testkit';
import { expect } from 'vitest';
import { keepingDirectory } from '../../src/snapshot/root-directory.ts';

test.for([0, 1, 999, 123_456, 999_999])('a directory keeps its mode and %i µs of its time', async (micros, { dir }) => {
  const seconds = 1_700_000_000 + (micros + 0.5) / 1e6;
  utimesSync(dir, seconds, seconds);
  chmodSync(dir, 0o1555);

  const result = await keepingDirectory(dir, async () => {
    writeFileSync(`${dir}/new`, '');
    return 'done';
  });

  const { mode, mtimeNs } = lstatSync(dir, { bigint: true });
  chmodSync(dir, 0o755);
  expect([result, mode & 0o7777n, mtimeNs]).toEqual([
    'done',
    0o1555n,
    1_700_000_000_000_000_000n + BigInt(micros) * 1000n,
  ]);
});

test.for(['1955-06-07 08:09:10.654321987', '1969-12-31 23:59:59.999999999'])(
  'as a directory of %s does',
  async (time, { dir }) => {
    execFileSync('touch', ['-d', `${time} UTC`, dir]);
    const before = lstatSync(dir, { bigint: true }).mtimeNs;

    await keepingDirectory(dir, async () => writeFileSync(`${dir}/new`, ''));

    expect(lstatSync(dir, { bigint: true }).mtimeNs).toBe(before);
  },
);

test('a failure leaves them too', async ({ dir }) => {
  utimesSync(dir, 1, 2);
  chmodSync(dir, 0o500);

  const attempt = keepingDirectory(dir, async () => {
    writeFileSync(`${dir}/new`, '');
    throw new Error('full');
  });

  await expect(attempt).rejects.toThrow('full');
  const { mode, mtimeMs } = lstatSync(dir);
  chmodSync(dir, 0o755);
  expect([mode & 0o7777, mtimeMs]).toEqual([0o500, 2000]);
});
