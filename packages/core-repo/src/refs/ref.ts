import { join } from 'node:path';
import * as z from 'zod/mini';
import { hasCode } from '@jvs/platform/errors';
import { readControlFile } from '../control-file.ts';
import { listDirectory } from '../list-directory.ts';
import { NAME, SnapshotId } from '../names.ts';
import { DescriptorCorruptError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';

/** `refs/<name>/<event_id>.json`: a name for a snapshot, never changed. Format: docs/specs/jvs.md, "The other files". */
export const Ref = z.looseObject({
  ref_name: z.string(),
  snapshot_id: SnapshotId,
  created_at: z.string(),
  created_by: z.string(),
  note: z.string(),
  /** Of the audit record of its creation, and the name of its file. */
  event_id: z.uuid(),
});
export type Ref = z.infer<typeof Ref>;

/** A ref and the file that is it. */
export interface StoredRef {
  ref: Ref;
  path: string;
}

/** Undefined when there is no such ref; an empty directory is none, but a deletion cut short. @throws DescriptorCorruptError */
export async function findRef(r: Repository, name: string): Promise<StoredRef | undefined> {
  if (!NAME.test(name) || name.startsWith('.')) return undefined;
  const directory = r.layout.ref(name);
  const files = await listDirectory(directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOTDIR')) return [];
    throw error;
  });
  const file = files.find((entry) => entry.endsWith('.json'));
  if (file === undefined) return undefined;
  const path = join(directory, file);
  const ref = await readControlFile(path, Ref);
  if (ref === undefined) return undefined;
  if (ref.ref_name !== name || `${ref.event_id}.json` !== file) {
    throw new DescriptorCorruptError(path, `describes the ref "${ref.ref_name}" of event ${ref.event_id}`);
  }
  return { ref, path };
}

/** All refs by name. @throws DescriptorCorruptError */
export async function readRefs(r: Repository): Promise<StoredRef[]> {
  const refs: StoredRef[] = [];
  for (const name of await listDirectory(r.layout.refs)) {
    const found = await findRef(r, name);
    if (found !== undefined) refs.push(found);
  }
  return refs;
}
