import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '@jvs/platform/errors';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';

const HEADER = /^base (\d{13}-[0-9a-f]{8}) /;

/** Snapshots whose stored manifest is the base of another one's difference. */
export async function readManifestBases(r: Repository): Promise<Set<string>> {
  const bases = new Set<string>();
  const head = Buffer.alloc(32);
  for (const name of await listDirectory(r.layout.manifests)) {
    try {
      const file = await open(join(r.layout.manifests, name));
      try {
        const { bytesRead } = await file.read(head, 0, head.length, 0);
        const base = HEADER.exec(head.toString('latin1', 0, bytesRead))?.[1];
        if (base !== undefined) bases.add(base);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  return bases;
}
