import { readdir } from 'node:fs/promises';
import { hasCode } from '@jvs/platform/errors';

/** The names in a directory, sorted; none where it is absent, as empty directories are in many copies of a repository. */
export async function listDirectory(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
