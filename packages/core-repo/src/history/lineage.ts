import { CodedError } from '@jvs/platform/errors';
import { readTombstone } from '../gc/tombstone.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor, type Descriptor } from '../snapshot/descriptor.ts';

/** An ancestor is missing without a tombstone, or the ancestors form a circle. */
export class LineageBrokenError extends CodedError {
  readonly code = 'E_LINEAGE_BROKEN';
  constructor(id: string, why: string) {
    super(`The history of snapshots is broken at ${id}: ${why}`, {
      hint: 'Run "jvs doctor --strict"; restore the descriptor from a backup.',
      details: { snapshot_id: id, why },
    });
  }
}

/** A snapshot of the lineage; a deleted one is known from its tombstone. */
export interface Ancestor {
  descriptor: Descriptor;
  isDeleted: boolean;
}

/** From `id` back to the first ancestor. @throws LineageBrokenError, DescriptorCorruptError */
export async function* lineage(r: Repository, id: string | null): AsyncGenerator<Ancestor> {
  const seen = new Set<string>();
  for (let next = id; next !== null;) {
    if (seen.has(next)) throw new LineageBrokenError(next, 'it is its own ancestor');
    seen.add(next);
    const ancestor = await findAncestor(r, next);
    if (ancestor === undefined) throw new LineageBrokenError(next, 'there is no descriptor and no tombstone');
    yield ancestor;
    next = ancestor.descriptor.parent_snapshot_id;
  }
}

/** A snapshot by its descriptor, or by its tombstone; undefined when there is neither. @throws DescriptorCorruptError */
export async function findAncestor(r: Repository, id: string): Promise<Ancestor | undefined> {
  const descriptor = await findDescriptor(r, id);
  if (descriptor !== undefined) return { descriptor, isDeleted: false };
  const tombstone = await readTombstone(r, id);
  return tombstone === undefined ? undefined : { descriptor: tombstone.descriptor, isDeleted: true };
}
