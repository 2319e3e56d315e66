import { parentPort } from 'node:worker_threads';
import { runReadJob } from './read-job.ts';
import { runScanJob } from './scan-job.ts';
import type { TreeJob, TreeReply } from './tree-job.ts';

// The thread's entry point: one job in, one reply out. Synchronous calls throughout, since here nothing else waits.
parentPort?.on('message', (job: TreeJob) => {
  parentPort?.postMessage(reply(job));
});

function reply(job: TreeJob): TreeReply {
  try {
    return { result: job.kind === 'scan' ? runScanJob(job) : runReadJob(job) };
  } catch (error) {
    if (!(error instanceof Error)) return { crash: String(error) };
    const { code, syscall, path } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) return { crash: error.stack ?? error.message };
    return { failure: { code, syscall, path: path ?? '' } };
  }
}
