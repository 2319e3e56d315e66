import { join } from 'node:path';
import * as z from 'zod/mini';
import { hasCode } from '@jvs/platform/errors';
import { readControlFile } from '../control-file.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';

const Ref = z.looseObject({ snapshot_id: z.string() });

/** The snapshot that a ref names. Undefined when there is no such ref; an empty directory is none, but a deletion cut short. */
export async function readRef(r: Repository, name: string): Promise<string | undefined> {
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(name) || name.startsWith('.')) return undefined;
  const directory = join(r.layout.refs, name);
  const files = await listDirectory(directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOTDIR')) return [];
    throw error;
  });
  const file = files.find((entry) => entry.endsWith('.json'));
  return file === undefined ? undefined : (await readControlFile(join(directory, file), Ref))?.snapshot_id;
}
