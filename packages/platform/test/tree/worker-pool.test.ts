import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, expect, test, vi } from 'vitest';
import type { TreeJob } from '../../src/tree/tree-job.ts';
import { openTreePool } from '../../src/tree/worker-pool.ts';

/** A thread that does what the test says, and ends when the test says. */
class FakeThread extends EventEmitter {
  readonly jobs: TreeJob[] = [];
  isEnding = false;

  constructor() {
    super();
    threads.push(this);
  }

  postMessage(job: TreeJob): void {
    this.jobs.push(job);
  }

  async terminate(): Promise<number> {
    this.isEnding = true;
    return new Promise((resolve) => this.once('exit', resolve));
  }

  ref(): void {}

  unref(): void {}
}

let threads: FakeThread[] = [];
beforeEach(() => void (threads = []));
vi.mock('node:worker_threads', () => ({ Worker: FakeThread }));

/** The module of threads is loaded with the first job. */
async function started(count: number): Promise<void> {
  await vi.waitFor(() => expect(threads.flatMap(({ jobs }) => jobs)).toHaveLength(count));
}

function job(path: string): TreeJob {
  return { kind: 'read', root: '/', paths: [path], deep: true, skip: [], only: null };
}

test('jobs that wait go on when a thread has ended by itself', async () => {
  const pool = openTreePool({ threads: 1 });
  const first = pool.run(job('a'));
  first.catch(() => undefined);
  await started(1);
  const second = pool.run(job('b'));

  threads[0]?.emit('exit', 1);

  await expect(first).rejects.toThrow('ended before its job');
  expect(threads[1]?.jobs).toEqual([job('b')]);
  threads[1]?.emit('message', { result: 'done' });
  expect(await second).toBe('done');
});

test('an abort is told when the thread has ended, which may be inside of a system call', async () => {
  const pool = openTreePool({ threads: 1 });
  const abort = new AbortController();
  let isTold = false;
  const running = pool.run(job('a'), abort.signal).catch((error: unknown) => {
    isTold = true;
    return error;
  });
  await started(1);

  abort.abort();
  await turn();

  expect(threads[0]?.isEnding).toBe(true);
  expect(isTold).toBe(false);
  threads[0]?.emit('exit', 1);
  expect(await running).toMatchObject({ name: 'AbortError' });
});

test('an aborted job that still waited never starts', async () => {
  const pool = openTreePool({ threads: 1 });
  const abort = new AbortController();
  const first = pool.run(job('a'));
  await started(1);
  const second = pool.run(job('b'), abort.signal);

  abort.abort();

  await expect(second).rejects.toMatchObject({ name: 'AbortError' });
  threads[0]?.emit('message', { result: 'done' });
  expect(await first).toBe('done');
  expect(threads.flatMap(({ jobs }) => jobs)).toEqual([job('a')]);
});

test('a pool is closed when its threads have ended, those of aborted jobs too', async () => {
  const pool = openTreePool({ threads: 2 });
  const abort = new AbortController();
  void pool.run(job('a'), abort.signal).catch(() => undefined);
  await started(1);
  void pool.run(job('b')).catch(() => undefined);
  await started(2);
  abort.abort();
  let isClosed = false;

  const closing = pool.close().then(() => (isClosed = true));
  threads[1]?.emit('exit', 1);
  await turn();

  expect(isClosed).toBe(false);
  threads[0]?.emit('exit', 1);
  await closing;
  await expect(pool.run(job('c'))).rejects.toThrow('closed');
});
