import { join } from 'node:path';
import * as z from 'zod/mini';
import { prettyJson } from '@jvs/platform/canonical-json';
import { isThere } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import type { LogRecord } from '@jvs/platform/exclusive-log';
import { parseStateRecord } from '@jvs/lock-lease';
import { archivedStates } from '../audit/archives.ts';
import { salvageRecords } from '../audit/salvage.ts';
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

/**
 * `committed`: the decisive record has the snapshot as head. `dead`: it holds something else. `open`: there is none yet.
 * `dropping`: somebody has claimed it for removal, which is final. `damaged`: which record decides cannot be read.
 */
export type IntentState = 'committed' | 'dead' | 'open' | 'dropping' | 'damaged';

/** An intent under whichever name it has now. */
export interface FoundIntent {
  snapshotId: string;
  path: string;
  /** Undefined for one that cannot be read. */
  intent: Intent | undefined;
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

/** A claim renames an intent, so one that vanishes is looked for again under its next name, this many times. */
const LOOKS = 20;

/** All intents, or those of one snapshot. */
export async function findIntents(r: Repository, id?: string): Promise<FoundIntent[]> {
  for (let look = 1; ; look += 1) {
    const found = await readIntents(r, id);
    if (found !== 'changed') return found;
    if (look === LOOKS) throw new Error('Intents were renamed at every look');
  }
}

/** `changed` when one vanished while it was read: it has ended, or another name stands for it. */
async function readIntents(r: Repository, id: string | undefined): Promise<FoundIntent[] | 'changed'> {
  const found: FoundIntent[] = [];
  for (const file of await listDirectory(r.layout.intents)) {
    const [, snapshotId, kind, adoptSeq] = INTENT_FILE.exec(file) ?? [];
    if (snapshotId === undefined || (id !== undefined && snapshotId !== id)) continue;
    const path = join(r.layout.intents, file);
    const intent = await readControlFile(path, Intent).catch((error: unknown) => {
      if (hasCode(error, 'E_DESCRIPTOR_CORRUPT', 'EISDIR')) return 'damaged' as const;
      throw error;
    });
    if (intent === undefined) return 'changed';
    if (kind === 'drop') found.push({ snapshotId, path, intent: partOf(intent), state: 'dropping' });
    else if (intent === 'damaged') found.push({ snapshotId, path, intent: undefined, state: 'damaged' });
    else {
      const seq = adoptSeq === undefined ? intent.commit_seq : Number(adoptSeq);
      found.push({ snapshotId, path, intent, state: await decided(r, intent.worktree_id, seq, snapshotId) });
    }
  }
  return found;
}

function partOf(intent: Intent | 'damaged'): Intent | undefined {
  return intent === 'damaged' ? undefined : intent;
}

/** A log that `reset_state` has put aside decides no more: what it did not commit is dead. */
async function decided(r: Repository, worktreeId: string, seq: number, id: string): Promise<IntentState> {
  try {
    const record = await stateLog(r, worktreeId).read(seq);
    if (record !== undefined) return parseStateRecord(record).head_snapshot_id === id ? 'committed' : 'dead';
  } catch (error) {
    if (hasCode(error, 'E_AUDIT_CHAIN_BROKEN')) return 'damaged';
    throw error;
  }
  const old = await archivedRecords(r, worktreeId);
  if (old === undefined) return 'open';
  return old.some((record) => record.seq === seq && record['head_snapshot_id'] === id) ? 'committed' : 'dead';
}

async function archivedRecords(r: Repository, worktreeId: string): Promise<LogRecord[] | undefined> {
  if (await isThere(r.layout.state(worktreeId))) return undefined;
  for (const archive of await archivedStates(r)) {
    if (await isThere(join(archive, worktreeId))) return await salvageRecords(join(archive, worktreeId));
  }
  return undefined;
}
