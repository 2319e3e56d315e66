import { deleteTree, isThere, syncDirectory, unlinkIfThere } from '@jvs/platform/durable-fs';
import { CodedError } from '@jvs/platform/errors';
import type { OnProgress } from '../progress.ts';
import type { Repository } from '../repository.ts';
import { refillReserve, withReserve } from '../reserve.ts';
import { runDirectories, type OnFreed } from './delete-snapshots.ts';
import { findRuns } from './gc-records.ts';

export interface GcResult {
  plan_id: string;
  /** Snapshots that the plan has deleted, by this run and by earlier ones. */
  deleted_count: number;
  deleted: string[];
  /** Ids that could not be deleted; a run that meets one stops with an error, so that a result has none. */
  failed: string[];
  abandoned: boolean;
  /** Allocated to files that this run removed and that had no other name. */
  freed_bytes: number;
}

/** A file could not be moved or removed. What was done stays done. */
export class GcStoppedError extends CodedError {
  readonly code = 'E_IO';
  constructor(planId: string, errno: string, cause: Error) {
    super(`The plan ${planId} was stopped: ${cause.message}`, {
      cause,
      hint: `When the cause is gone, go on with "jvs gc run --plan-id ${planId}", or end it with "--abandon ${planId}".`,
      details: { plan_id: planId, errno },
    });
  }
}

/** What the caller of a run wants to know meanwhile. */
export interface RunPorts {
  onFreed: OnFreed;
  onProgress?: OnProgress | undefined;
  signal?: AbortSignal | undefined;
}

/** Does the work of a run with the reserve at hand, and counts what it frees. @throws GcStoppedError */
export async function withTally(
  r: Repository,
  planId: string,
  work: (onFreed: OnFreed) => Promise<Omit<GcResult, 'freed_bytes'>>,
): Promise<GcResult> {
  let freedBytes = 0;
  try {
    const result = await withReserve(r.layout, () => work((bytes) => void (freedBytes += bytes)));
    // The plan may have been made on a full disk, with the room of the reserve.
    if (!(await isThere(r.layout.reserve))) await refillReserve(r.layout);
    return { ...result, freed_bytes: freedBytes };
  } catch (error) {
    throw stoppedBy(error, planId);
  }
}

/** An error of the system as the end of a run; any other as it is. */
function stoppedBy(error: unknown, planId: string): unknown {
  if (!(error instanceof Error) || error instanceof CodedError || !('code' in error)) return error;
  const code = String(error.code);
  return /^E[A-Z0-9]+$/.test(code) ? new GcStoppedError(planId, code, error) : error;
}

/** What is left of a plan once its end is on record: its runs' directories and its file. */
export async function tidyUp(r: Repository, planId: string): Promise<void> {
  for (const directory of await runDirectories(r, await findRuns(r, planId))) await deleteTree(directory);
  await unlinkIfThere(r.layout.plan(planId));
  await syncDirectory(r.layout.plans);
}
