import * as z from 'zod/mini';
import { readControlFile } from '../control-file.ts';
import { SnapshotId } from '../names.ts';
import type { Repository } from '../repository.ts';

/** `.jvs/worktrees/<name>/config.json`: identity only; the name is the directory's, head and lock are in the state log. */
export const WorktreeConfig = z.looseObject({
  worktree_id: z.uuid(),
  isolation: z.literal('exclusive'),
  created_at: z.string(),
  base_snapshot_id: z.nullable(SnapshotId),
  label: z.nullable(z.string()),
});
export type WorktreeConfig = z.infer<typeof WorktreeConfig>;

/** Undefined when no worktree has that name. @throws DescriptorCorruptError */
export async function readWorktreeConfig(r: Repository, name: string): Promise<WorktreeConfig | undefined> {
  return await readControlFile(r.layout.worktreeConfig(name), WorktreeConfig);
}
