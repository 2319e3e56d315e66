import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '@jvs/platform/errors';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';

const MANIFEST_FILE = /^(\d{13}-[0-9a-f]{8})\.manifest$/;
const HEADER = /^base (\d{13}-[0-9a-f]{8}) /;

/** Snapshots whose stored manifest is a difference, with the snapshot that is its base. */
export async function readManifestDifferences(r: Repository): Promise<Map<string, string>> {
  const differences = new Map<string, string>();
  const head = Buffer.alloc(32);
  for (const name of await listDirectory(r.layout.manifests)) {
    const id = MANIFEST_FILE.exec(name)?.[1];
    if (id === undefined) continue;
    try {
      const file = await open(join(r.layout.manifests, name));
      try {
        const { bytesRead } = await file.read(head, 0, head.length, 0);
        const base = HEADER.exec(head.toString('latin1', 0, bytesRead))?.[1];
        if (base !== undefined) differences.set(id, base);
      } finally {
        await file.close();
      }
    } catch (error) {
      // What is no file names no base.
      if (!hasCode(error, 'ENOENT', 'EISDIR')) throw error;
    }
  }
  return differences;
}

/** Snapshots whose stored manifest is the base of another one's difference. */
export async function readManifestBases(r: Repository): Promise<Set<string>> {
  return new Set((await readManifestDifferences(r)).values());
}
