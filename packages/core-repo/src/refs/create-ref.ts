import { randomUUID } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { prettyJson, wellFormed } from '@jvs/platform/canonical-json';
import { timestamp } from '@jvs/platform/clock';
import { containedPath } from '@jvs/platform/contained-path';
import { sha256 } from '@jvs/platform/digest';
import { removeTree, syncDirectory, writeNew } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { checkName } from '../names.ts';
import { ExistsError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { finishRecentDeletions } from './interrupted-deletions.ts';
import { recordCreation } from './recorded-object.ts';
import { readRefs, type Ref } from './ref.ts';

export interface CreateRefOptions {
  /** What it is for, in a few words. Default: none. */
  note?: string | undefined;
}

/**
 * Names a snapshot, which is then kept until the ref is deleted. The name is claimed by one rename; if garbage collection
 * was faster, the ref is deleted again.
 * @param id a full snapshot id
 * @throws NameInvalidError, ExistsError, NotFoundError, PartialSnapshotError, SnapshotCondemnedError
 */
export async function createRef(r: Repository, name: string, id: string, options: CreateRefOptions = {}): Promise<Ref> {
  checkName('ref', name);
  await finishRecentDeletions(r);
  await requireVisible(r, id);
  await refuseTakenName(r, name);
  const ref: Ref = {
    ref_name: name,
    snapshot_id: id,
    created_at: timestamp(r.clock.now()),
    created_by: r.caller.actor,
    note: wellFormed(options.note ?? ''),
    event_id: randomUUID(),
  };
  const text = prettyJson(ref);
  const path = await claimName(r, ref, text);
  await recordCreation(
    r,
    { kind: 'ref', name, snapshotId: id, createdAt: ref.created_at, eventId: ref.event_id, path },
    { digest: sha256(text), reason: null },
  );
  return ref;
}

/** Names are unique without regard to case; of those that differ in case only, whoever comes second is refused. */
async function refuseTakenName(r: Repository, name: string): Promise<void> {
  await containedPath(r.root, join(r.layout.ref(name), 'x'));
  const taken = (await readRefs(r)).find(({ ref }) => ref.ref_name.toLowerCase() === name.toLowerCase());
  if (taken !== undefined) throw existing(taken.ref.ref_name);
}

/** A directory that was left empty by a deletion is replaced; one with a file in it is a ref. */
async function claimName(r: Repository, ref: Ref, text: string): Promise<string> {
  const file = `${ref.event_id}.json`;
  const prepared = join(r.layout.tmp, randomUUID());
  const directory = r.layout.ref(ref.ref_name);
  try {
    await mkdir(prepared);
    await writeNew(join(prepared, file), text, true);
    await syncDirectory(prepared);
    await mkdir(r.layout.refs, { recursive: true });
    await rename(prepared, directory);
  } catch (error) {
    await removeTree(prepared, r.layout.tmp);
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw existing(ref.ref_name);
    throw error;
  }
  await syncDirectory(r.layout.refs);
  return join(directory, file);
}

function existing(name: string): ExistsError {
  return new ExistsError('ref', name, 'Choose another name, or delete that ref first.');
}
