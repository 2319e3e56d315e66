import type { BytePath } from '../byte-path.ts';
import type { TreeJob, TreeJobResult } from './tree-job.ts';
import type { TreePool } from './worker-pool.ts';

/** More paths than this in one job would only make it hand back most of them. */
const PATHS_A_JOB = 1000;

/**
 * Deals `paths` out to the pool's threads and, as jobs hand back what they found and did not get to, that too, until
 * nothing is left. The first failure ends it, after the jobs still running: no thread touches the tree afterwards.
 */
export async function spreadWork<J extends TreeJob>(
  pool: TreePool,
  paths: readonly BytePath[],
  makeJob: (paths: BytePath[]) => J,
  onResult: (result: TreeJobResult<J>) => void,
  signal?: AbortSignal,
): Promise<void> {
  const pending = [...paths];
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];

  async function runOne(): Promise<void> {
    const share = Math.min(PATHS_A_JOB, Math.ceil(pending.length / pool.threads));
    try {
      const result = await pool.run(makeJob(pending.splice(-share)), signal);
      for (const path of result.rest) pending.push(path);
      result.rest.length = 0;
      onResult(result);
    } catch (error) {
      failures.push(error);
    }
  }

  while (failures.length === 0 && (pending.length > 0 || running.size > 0)) {
    while (pending.length > 0 && running.size < pool.threads) {
      const job: Promise<void> = runOne().finally(() => running.delete(job));
      running.add(job);
    }
    await Promise.race(running);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
