import { relative } from 'node:path';
import { isThere, writeOnce } from '@jvs/platform/durable-fs';
import { sha256OfByteString } from '@jvs/platform/digest';
import { hasCode } from '@jvs/platform/errors';
import { withTreePool, readTree } from '@jvs/platform/tree';
import { READY_FILE } from '../layout.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { serializeManifest } from '../snapshot/manifest.ts';
import { publishedIds } from '../snapshot/visible.ts';
import type { Finding, Repair } from './finding.ts';

/** Published snapshots without a manifest. */
export async function checkManifests(r: Repository): Promise<Finding[]> {
  return (await lostManifests(r)).map((id) => ({
    category: 'manifest_missing',
    code: null,
    severity: 'error',
    path: relative(r.root, r.layout.manifest(id)),
    description: `The manifest of snapshot ${id} is missing.`,
    repair: 'rebuild_manifest',
  }));
}

async function lostManifests(r: Repository): Promise<string[]> {
  const lost: string[] = [];
  for (const id of await publishedIds(r)) {
    if (!(await isThere(r.layout.manifest(id)))) lost.push(id);
  }
  return lost;
}

/** `rebuild_manifest`: reads the payload of each and writes its manifest, if that is the one that was published. */
export async function rebuildManifests(r: Repository): Promise<Repair[]> {
  const repairs: Repair[] = [];
  const lost = await lostManifests(r);
  if (lost.length === 0) return repairs;
  await withTreePool(async (pool) => {
    for (const id of lost) {
      const descriptor = await findDescriptor(r, id).catch(() => undefined);
      if (descriptor === undefined || !(await isThere(r.layout.snapshot(id)))) continue;
      const { entries } = await readTree(pool, r.layout.snapshot(id), { skip: [READY_FILE] });
      const text = serializeManifest(entries.sort());
      if (sha256OfByteString(text) !== descriptor.payload_root_hash.value) continue;
      await writeOnce(r.layout.manifest(id), Buffer.from(text, 'latin1'), r.layout.tmp).catch((error: unknown) => {
        if (!hasCode(error, 'EEXIST')) throw error;
      });
      repairs.push({
        repair: 'rebuild_manifest',
        description: `Made the manifest of snapshot ${id} anew from its payload.`,
      });
    }
  });
  return repairs;
}
