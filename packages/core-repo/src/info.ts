import { access, constants } from 'node:fs/promises';
import { LOCK_DEFAULTS } from '@jvs/lock-lease';
import { chooseEngine } from '@jvs/snapshot-engine';
import type { Repository } from './repository.ts';
import { publishedIds } from './snapshot/visible.ts';
import { worktreeNames } from './worktree/worktree.ts';

export interface RepositoryInfo {
  format_version: 1;
  repo_id: string;
  repo_root: string;
  /** The engine that the next snapshot would use; null where that cannot be told because nothing can be written. */
  snapshot_engine: string | null;
  default_isolation: 'exclusive';
  default_consistency: 'quiesced';
  lease_duration_ms: number;
  renew_interval_ms: number;
  max_clock_skew_ms: number;
  steal_grace_ms: number;
  total_snapshots: number;
  total_worktrees: number;
}

export async function repositoryInfo(
  r: Repository,
  { engine }: { engine?: string | undefined } = {},
): Promise<RepositoryInfo> {
  const { leaseDurationMs, renewIntervalMs, maxClockSkewMs, stealGraceMs } = LOCK_DEFAULTS;
  return {
    format_version: 1,
    repo_id: r.id,
    repo_root: r.root,
    snapshot_engine: await engineName(r, engine),
    default_isolation: 'exclusive',
    default_consistency: 'quiesced',
    lease_duration_ms: leaseDurationMs,
    renew_interval_ms: renewIntervalMs(leaseDurationMs),
    max_clock_skew_ms: maxClockSkewMs,
    steal_grace_ms: stealGraceMs,
    total_snapshots: (await publishedIds(r)).length,
    total_worktrees: (await worktreeNames(r)).length,
  };
}

/** Probes write, and answer false where they cannot. */
async function engineName(r: Repository, requested: string | undefined): Promise<string | null> {
  const { tmp } = r.layout;
  const isWritable = await access(tmp, constants.W_OK).then(
    () => true,
    () => false,
  );
  return isWritable ? (await chooseEngine(tmp, { requested })).engine.name : null;
}
