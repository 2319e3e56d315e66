import { rename, unlink } from 'node:fs/promises';
import { isThereNow, removeTree, syncDirectory, unlinkIfThere } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import type { Repository } from '../repository.ts';
import { dropPath, findIntents, intentPath, type FoundIntent } from './intent.ts';
import { readManifestBases } from './manifest-bases.ts';

/**
 * Claims an intent for removal by renaming it to `.drop`, which is final, and removes what it stands for. Only one
 * claimer wins; the loser touches nothing. To be called for a dead intent, by anybody, or by its own author as long as
 * he has not tried to commit.
 */
export async function dropIntent(r: Repository, found: Pick<FoundIntent, 'snapshotId' | 'path'>): Promise<boolean> {
  try {
    await rename(found.path, dropPath(r, found.snapshotId));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
  await syncDirectory(r.layout.intents);
  failpoint('publish:drop-claim');
  await finishDrop(r, found.snapshotId);
  return true;
}

/** Removes what a `.drop` stands for, and the `.drop` last. Anybody may finish one, any number of times. */
export async function finishDrop(r: Repository, id: string): Promise<void> {
  await removeTree(r.layout.unfinishedSnapshot(id), r.layout.tmp);
  await removeTree(r.layout.snapshot(id), r.layout.tmp);
  failpoint('publish:drop-tree');
  await unlinkIfThere(r.layout.descriptor(id));
  await removeManifest(r, id);
  failpoint('publish:drop-descriptor');
  await unlinkIfThere(dropPath(r, id));
  await syncDirectory(r.layout.intents);
}

/**
 * What the author of a snapshot does who will not commit it: drop it, or, when neither intent nor tree is left any more
 * because others dropped it first, remove what he wrote after they had looked. In any other case, nothing.
 */
export async function abandonSnapshot(r: Repository, id: string): Promise<void> {
  if (await dropIntent(r, { snapshotId: id, path: intentPath(r, id) })) return;
  if (await isThereNow(dropPath(r, id))) {
    await finishDrop(r, id);
    return;
  }
  const intents = await findIntents(r, id);
  if (intents.length > 0 || (await isThereNow(r.layout.snapshot(id)))) return;
  await unlinkIfThere(r.layout.descriptor(id));
  await removeManifest(r, id);
  await removeTree(r.layout.unfinishedSnapshot(id), r.layout.tmp);
}

/** A base outlives its snapshot: the file stays while another manifest names it. */
export async function removeManifest(r: Repository, id: string): Promise<void> {
  if ((await readManifestBases(r)).has(id)) return;
  await unlink(r.layout.manifest(id)).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
  });
}
