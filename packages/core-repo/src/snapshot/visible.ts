import { hasCode } from '@jvs/platform/errors';
import { containedDirectory } from '@jvs/platform/contained-path';
import { listDirectory } from '../list-directory.ts';
import { PartialSnapshotError } from '../repository-errors.ts';
import { SNAPSHOT_ID } from '../names.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor, readDescriptor, type Descriptor } from './descriptor.ts';
import { findIntents } from './intent.ts';
import { agrees, readReadyMarker } from './ready-marker.ts';

/**
 * The descriptor of a visible snapshot: its descriptor is valid, the tree's marker agrees, and no intent says that it is
 * not committed.
 * @throws NotFoundError, DescriptorCorruptError, PartialSnapshotError
 */
export async function requireVisible(r: Repository, id: string): Promise<Descriptor> {
  const descriptor = await readDescriptor(r, id);
  await containedDirectory(r.root, r.layout.snapshot(id));
  const marker = await readReadyMarker(r.layout.snapshot(id));
  if (marker === undefined) throw new PartialSnapshotError(id, 'its tree has no .READY');
  if (!agrees(marker, descriptor)) throw new PartialSnapshotError(id, 'its .READY does not agree with its descriptor');
  const hiding = (await findIntents(r, id)).find(({ state }) => state !== 'committed');
  if (hiding !== undefined) throw new PartialSnapshotError(id, 'its publication has not been committed');
  return descriptor;
}

/** Ids that have a descriptor and are not hidden by an intent, oldest first. Says nothing about their validity. */
export async function publishedIds(r: Repository): Promise<string[]> {
  const hidden = new Set(
    (await findIntents(r)).filter(({ state }) => state !== 'committed').map((found) => found.snapshotId),
  );
  const ids = (await listDirectory(r.layout.descriptors))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -5));
  return ids.filter((id) => SNAPSHOT_ID.test(id) && !hidden.has(id)).sort();
}

/** Whether all of the snapshot is there: a valid descriptor and a tree whose marker agrees. No runtime repair deletes one. */
export async function isComplete(r: Repository, id: string): Promise<boolean> {
  try {
    const descriptor = await findDescriptor(r, id);
    const marker = await readReadyMarker(r.layout.snapshot(id));
    return descriptor !== undefined && marker !== undefined && agrees(marker, descriptor);
  } catch (error) {
    if (hasCode(error, 'E_DESCRIPTOR_CORRUPT')) return false;
    throw error;
  }
}
