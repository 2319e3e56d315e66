import { readFile } from 'node:fs/promises';
import * as z from 'zod/mini';
import { prettyJson } from '@jvs/platform/canonical-json';
import { timestamp } from '@jvs/platform/clock';
import { sha256 } from '@jvs/platform/digest';
import { writeOnce } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { readControlFile } from '../control-file.ts';
import { listDirectory } from '../list-directory.ts';
import { SNAPSHOT_ID, SnapshotId } from '../names.ts';
import type { Repository } from '../repository.ts';
import { Descriptor } from '../snapshot/descriptor.ts';

/** `gc/tombstones/<id>.json`: what a deleted snapshot was, so that history can still be walked. Never changed. */
export const Tombstone = z.looseObject({
  snapshot_id: SnapshotId,
  /** The plan that deleted it. */
  plan_id: z.uuid(),
  deleted_at: z.string(),
  descriptor: Descriptor,
});
export type Tombstone = z.infer<typeof Tombstone>;

/** Undefined when the snapshot has none. @throws DescriptorCorruptError */
export async function readTombstone(r: Repository, id: string): Promise<Tombstone | undefined> {
  return await readControlFile(r.layout.tombstone(id), Tombstone);
}

/** Ids of snapshots that have a tombstone, sorted. */
export async function tombstonedIds(r: Repository): Promise<string[]> {
  return (await listDirectory(r.layout.tombstones))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .filter((id) => SNAPSHOT_ID.test(id));
}

/** Writes the tombstone unless another run of the plan was faster: the first one stands. */
export async function writeTombstone(r: Repository, planId: string, descriptor: Descriptor): Promise<void> {
  const tombstone: Tombstone = {
    snapshot_id: descriptor.snapshot_id,
    plan_id: planId,
    deleted_at: timestamp(r.clock.now()),
    descriptor,
  };
  try {
    await writeOnce(r.layout.tombstone(descriptor.snapshot_id), prettyJson(tombstone), r.layout.tmp);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/** What the plan deleted, and the digest by which its `gc_done` vouches for it. */
export interface PlanTombstones {
  ids: string[];
  /** SHA-256 of the lines `<id> <sha256 of the tombstone file>` LF, sorted. */
  digest: string;
}

/** @param among where to look; ids without a tombstone, or with one of another plan, do not count */
export async function digestTombstones(
  r: Repository,
  planId: string,
  among: readonly string[],
): Promise<PlanTombstones> {
  const ids: string[] = [];
  let lines = '';
  for (const id of [...among].sort()) {
    if ((await readTombstone(r, id))?.plan_id !== planId) continue;
    ids.push(id);
    lines += `${id} ${sha256(await readFile(r.layout.tombstone(id)))}\n`;
  }
  return { ids, digest: sha256(lines) };
}
