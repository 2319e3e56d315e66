import { LOCK_DEFAULTS } from '@jvs/lock-lease';
import { chooseEngine } from '@jvs/snapshot-engine';
import { hasCode } from '@jvs/platform/errors';
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

async function engineName(r: Repository, requested: string | undefined): Promise<string | null> {
  try {
    return (await chooseEngine(r.layout.tmp, { requested })).engine.name;
  } catch (error) {
    if (hasCode(error, 'EROFS', 'EACCES')) return null;
    throw error;
  }
}
