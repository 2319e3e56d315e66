import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

import { JVS_BIN, test, type Descriptor, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

const CAN_TRACE = spawnSync('strace', ['--version']).status === 0;

describe.runIf(CAN_TRACE)('the system calls of a snapshot', () => {
  test('at most two syncfs, and no fsync for each file', async ({ dir, saved, ada }) => {
    const few = syncCalls(ada, `${dir}/few.trace`);
    for (let n = 0; n < 400; n++) {
      mkdirSync(`${saved.main}/${n % 20}`, { recursive: true });
      writeFileSync(`${saved.main}/${n % 20}/${n}`, `file ${n}`);
    }
    const many = syncCalls(ada, `${dir}/many.trace`);

    expect(many.stats).toMatchObject({ files: 401, dirs: 20 });
    expect(few.syncfs).toBeGreaterThanOrEqual(1);
    expect(few.syncfs).toBeLessThanOrEqual(2);
    expect(many.syncfs).toBeLessThanOrEqual(2);
    expect(few.fsync).toBeGreaterThan(0);
    expect(many.fsync).toBeLessThanOrEqual(few.fsync + 2);
    await ada.ok(['verify', '--all']);
  });

  test('never a file of an earlier snapshot opened for writing', ({ dir, saved, ada }) => {
    writeFileSync(`${saved.main}/hello.txt`, 'changed\n');
    const { trace } = syncCalls(ada, `${dir}/open.trace`);

    const written = trace.split('\n').filter((line) => /O_WRONLY|O_RDWR|O_TRUNC/.test(line));
    expect(written.filter((line) => line.includes(`snapshots/${saved.id}`))).toEqual([]);
    expect(written.some((line) => /snapshots\/[^/>]+\.tmp/.test(line))).toBe(true);
  });
});

/** Takes a snapshot under strace(1), with all its threads and children. */
function syncCalls(user: User, traceFile: string) {
  const calls = 'trace=sync,syncfs,fsync,fdatasync,openat,openat2,open,creat';
  const result = spawnSync(
    'strace',
    // -y tells the directories of descriptors, which is how cp names what it opens.
    ['-f', '-y', '-qq', '-s', '300', '-e', calls, '-o', traceFile, process.execPath, JVS_BIN, 'snapshot', '--json'],
    { cwd: user.cwd, encoding: 'utf8', env: { PATH: process.env['PATH'], TZ: 'UTC', ...user.env } },
  );
  if (result.status !== 0) throw new Error(`snapshot under strace failed: ${result.stderr}`);
  const trace = readFileSync(traceFile, 'utf8');
  const count = (call: RegExp) => trace.split('\n').filter((line) => call.test(line)).length;
  return {
    trace,
    stats: (JSON.parse(result.stdout) as Descriptor).payload_stats,
    syncfs: count(/^\d+ +sync(fs)?\(/),
    fsync: count(/^\d+ +(fsync|fdatasync)\(/),
  };
}
