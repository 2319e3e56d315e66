import { setMaxListeners } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { errnoError } from '../errors.ts';
import type { TreeJob, TreeJobResult, TreeReply } from './tree-job.ts';

/** Threads that scan and read trees. Whoever opened it closes it. */
export interface TreePool {
  readonly threads: number;
  /**
   * Runs one job on the next free thread. Aborting ends that thread, after the system call that it is in, and only then
   * is told of; a new one starts when needed.
   */
  run<J extends TreeJob>(job: J, signal?: AbortSignal): Promise<TreeJobResult<J>>;
  /** Returns when every thread has ended. */
  close(): Promise<void>;
}

interface Task {
  job: TreeJob;
  resolve(result: never): void;
  reject(reason: unknown): void;
}

/** More threads than processors: a fresh copy is cold, so that a thread mostly waits for the disk. */
const DEFAULT_THREADS = 3;

// Compiled beside this file, and beside the bundle; Node 20 cannot start a thread from TypeScript.
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/tree/tree-worker.js' : './tree-worker.js',
  import.meta.url,
);

/** Threads start when first needed, up to `threads` (default 3). */
export function openTreePool({ threads = DEFAULT_THREADS }: { threads?: number } = {}): TreePool {
  const queue: Task[] = [];
  const idle: Worker[] = [];
  const busy = new Map<Worker, Task>();
  // Told to end: a last reply may still be on its way, or a system call under way.
  const ending = new Map<Worker, Promise<unknown>>();
  let closed = false;
  // Loaded with the first job, for the sake of commands that read no tree.
  let threadModule: typeof import('node:worker_threads') | undefined;

  function dispatch(): void {
    for (;;) {
      if (threadModule === undefined || (idle.length === 0 && busy.size >= threads)) return;
      const task = queue.shift();
      if (task === undefined) return;
      const worker = idle.pop() ?? start(threadModule);
      busy.set(worker, task);
      worker.ref();
      worker.postMessage(task.job);
    }
  }

  function start({ Worker: TreeWorker }: typeof import('node:worker_threads')): Worker {
    const worker = new TreeWorker(WORKER_URL, {
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 512 },
    });
    worker.on('message', (reply: TreeReply) => {
      if (ending.has(worker)) return;
      const task = take(worker);
      idle.push(worker);
      worker.unref();
      if (task !== undefined) settle(task, reply);
      dispatch();
    });
    worker.on('error', (error) => {
      take(worker)?.reject(error);
      dispatch();
    });
    worker.on('exit', () => {
      const at = idle.indexOf(worker);
      if (at >= 0) idle.splice(at, 1);
      take(worker)?.reject(new Error('A tree thread ended before its job'));
      dispatch();
    });
    return worker;
  }

  function take(worker: Worker): Task | undefined {
    const task = busy.get(worker);
    busy.delete(worker);
    return task;
  }

  async function drop(task: Task): Promise<void> {
    const at = queue.indexOf(task);
    if (at >= 0) queue.splice(at, 1);
    const worker = [...busy.keys()].find((each) => busy.get(each) === task);
    if (worker === undefined) return;
    busy.delete(worker);
    const ended = end(worker);
    dispatch();
    await ended;
  }

  async function end(worker: Worker): Promise<void> {
    const ended = worker.terminate();
    ending.set(worker, ended);
    await ended;
    ending.delete(worker);
  }

  return {
    threads,
    async run<J extends TreeJob>(job: J, signal?: AbortSignal): Promise<TreeJobResult<J>> {
      threadModule ??= await import('node:worker_threads');
      if (closed) throw new Error('The tree pool is closed');
      if (signal?.aborted === true) throw asError(signal.reason);
      return await new Promise<TreeJobResult<J>>((resolve, reject) => {
        const task: Task = {
          job,
          resolve: (result) => {
            signal?.removeEventListener('abort', onAbort);
            resolve(result);
          },
          reject: (reason) => {
            signal?.removeEventListener('abort', onAbort);
            reject(asError(reason));
          },
        };
        function onAbort(): void {
          void drop(task).then(() => task.reject(signal?.reason));
        }
        // One listener for each waiting job is no leak.
        if (signal !== undefined) setMaxListeners(0, signal);
        signal?.addEventListener('abort', onAbort, { once: true });
        queue.push(task);
        dispatch();
      });
    },
    async close(): Promise<void> {
      closed = true;
      const ended = new Error('The tree pool was closed');
      const workers = [...idle, ...busy.keys()];
      for (const task of [...queue.splice(0), ...busy.values()]) task.reject(ended);
      busy.clear();
      idle.length = 0;
      await Promise.all([...workers.map(end), ...ending.values()]);
    },
  };
}

/** Lends `work` a pool of its own. */
export async function withTreePool<Result>(work: (pool: TreePool) => Promise<Result>): Promise<Result> {
  const pool = openTreePool();
  try {
    return await work(pool);
  } finally {
    await pool.close();
  }
}

function settle(task: Task, reply: TreeReply): void {
  if ('result' in reply) task.resolve(reply.result as never);
  else if ('failure' in reply) task.reject(errnoError(reply.failure.code, reply.failure.syscall, reply.failure.path));
  else task.reject(new Error(`A tree thread failed: ${reply.crash}`));
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
