import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

import { canMount, mountFilesystem } from '@jvs/services';
import { JVS_BIN, repositoryAt, test, type Descriptor, type User } from '@jvs/testkit';
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

describe.runIf(CAN_TRACE && canMount('ramfs'))('where syncfs may mean nothing, as on FUSE', () => {
  test('a snapshot syncs itself and its manifest, each file and folder, and no other snapshot', async ({
    dir,
    ada,
  }) => {
    const filesystem = await mountFilesystem('ramfs');
    try {
      await ada.at(filesystem.dir).ok(['init', 'repo']);
      const repo = repositoryAt(`${filesystem.dir}/repo`);
      const user = ada.at(repo.main);
      mkdirSync(`${repo.main}/sub`);
      writeFileSync(`${repo.main}/sub/file`, 'x');
      await user.ok(['lock', 'acquire']);
      const first = await user.json<Descriptor>(['snapshot']);

      const { trace, id } = syncCalls(user, `${dir}/each.trace`);

      const synced = [...trace.matchAll(/^\d+ +fsync\(\d+<([^>]*)>/gm)].map(([, path]) => path ?? '');
      const control = (path: string) => synced.filter((each) => each === `${repo.control}/${path}`).length;
      for (const path of ['', '/.READY', '/sub', '/sub/file']) expect(control(`snapshots/${id}.tmp${path}`)).toBe(1);
      // The manifest is synced under its temporary name, before it is linked.
      const temporary = synced.filter((path) => path.startsWith(`${repo.control}/tmp/`));
      expect(temporary.length).toBeGreaterThanOrEqual(5);
      for (const path of ['manifests', 'descriptors', 'snapshots']) expect(control(path)).toBe(1);
      expect(synced.filter((path) => path.includes(first.snapshot_id))).toEqual([]);
    } finally {
      await filesystem.unmount();
    }
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
    id: (JSON.parse(result.stdout) as Descriptor).snapshot_id,
    stats: (JSON.parse(result.stdout) as Descriptor).payload_stats,
    syncfs: count(/^\d+ +sync(fs)?\(/),
    fsync: count(/^\d+ +(fsync|fdatasync)\(/),
  };
}
