import { checkName } from '../names.ts';
import { NotFoundError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { finishRecentDeletions } from './interrupted-deletions.ts';
import { deleteObject } from './recorded-object.ts';
import { findRef } from './ref.ts';

/**
 * Takes a name from its snapshot. Recorded first, so that a crash in between leaves a ref that the next command deletes;
 * a ref of the same name that was made meanwhile stays.
 * @throws NameInvalidError, NotFoundError
 */
export async function deleteRef(r: Repository, name: string): Promise<{ deleted: string }> {
  checkName('ref', name);
  await finishRecentDeletions(r);
  const found = await findRef(r, name);
  if (found === undefined) throw new NotFoundError('ref', name, 'Run "jvs ref list" to see them.');
  const { ref, path } = found;
  await deleteObject(r, {
    kind: 'ref',
    name,
    snapshotId: ref.snapshot_id,
    createdAt: ref.created_at,
    eventId: ref.event_id,
    path,
  });
  return { deleted: name };
}
