import { join } from 'node:path';
import * as z from 'zod/mini';
import { prettyJson } from '@jvs/platform/canonical-json';
import { parseStateRecord } from '@jvs/lock-lease';
import { readControlFile } from '../control-file.ts';
import { listDirectory } from '../list-directory.ts';
import { SnapshotId } from '../names.ts';
import type { Repository } from '../repository.ts';
import { stateLog } from '../worktree/state-log.ts';

/** `intents/<id>.json`: a snapshot is in publication; state record `commit_seq` decides about it. */
export const Intent = z.looseObject({
  snapshot_id: SnapshotId,
  worktree_id: z.uuid(),
  parent_snapshot_id: z.nullable(SnapshotId),
  fencing_token: z.int(),
  commit_seq: z.int(),
  engine: z.string(),
  holder_id: z.string(),
  boot_id: z.string(),
  started_at: z.string(),
});
export type Intent = z.infer<typeof Intent>;

/** `committed`: the decisive record has the snapshot as head. `dead`: it holds something else. `open`: there is none yet. */
export type IntentState = 'committed' | 'dead' | 'open' | 'dropping';

/** An intent under whichever name it has now. */
export interface FoundIntent {
  snapshotId: string;
  path: string;
  intent: Intent;
  state: IntentState;
}

const INTENT_FILE = /^(\d{13}-[0-9a-f]{8})\.(json|drop|adopt-(\d+))$/;

export function intentPath(r: Repository, id: string): string {
  return join(r.layout.intents, `${id}.json`);
}

export function dropPath(r: Repository, id: string): string {
  return join(r.layout.intents, `${id}.drop`);
}

export function serializeIntent(intent: Intent): string {
  return prettyJson(intent);
}

/** All intents, or those of one snapshot. Nothing for one that vanishes while it is read. */
export async function findIntents(r: Repository, id?: string): Promise<FoundIntent[]> {
  const found: FoundIntent[] = [];
  for (const file of await listDirectory(r.layout.intents)) {
    const [, snapshotId, kind, adoptSeq] = INTENT_FILE.exec(file) ?? [];
    if (snapshotId === undefined || (id !== undefined && snapshotId !== id)) continue;
    const path = join(r.layout.intents, file);
    const intent = await readControlFile(path, Intent);
    if (intent === undefined) continue;
    const seq = adoptSeq === undefined ? intent.commit_seq : Number(adoptSeq);
    const state = kind === 'drop' ? 'dropping' : await decided(r, intent.worktree_id, seq, snapshotId);
    found.push({ snapshotId, path, intent, state });
  }
  return found;
}

async function decided(r: Repository, worktreeId: string, seq: number, id: string): Promise<IntentState> {
  const record = await stateLog(r, worktreeId).read(seq);
  if (record === undefined) return 'open';
  return parseStateRecord(record).head_snapshot_id === id ? 'committed' : 'dead';
}
