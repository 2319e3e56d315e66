import { relative } from 'node:path';
import { isThere, replaceFile } from '@jvs/platform/durable-fs';
import { sha256OfByteString } from '@jvs/platform/digest';
import { withTreePool, readTree } from '@jvs/platform/tree';
import { READY_FILE } from '../layout.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { readManifestDifferences } from '../snapshot/manifest-bases.ts';
import { provesItself, readStoredManifest, serializeManifest } from '../snapshot/manifest.ts';
import { publishedIds } from '../snapshot/visible.ts';
import type { Finding, Repair } from './finding.ts';
import type { RepairOptions } from './make-repairs.ts';

/** Published snapshots without a manifest. */
export async function checkManifests(r: Repository): Promise<Finding[]> {
  return (await lostManifests(r)).map((id) => ({
    category: 'manifest_missing',
    code: null,
    severity: 'error',
    path: relative(r.root, r.layout.manifest(id)),
    description: `The manifest of snapshot ${id} is missing. What the snapshot holds can still be read, but not be proved.`,
    repair: 'rebuild_manifest',
  }));
}

async function lostManifests(r: Repository): Promise<string[]> {
  const lost: string[] = [];
  const differences = await readManifestDifferences(r);
  const sound = new Map<string, boolean>();
  for (const id of await publishedIds(r)) {
    const base = differences.get(id);
    if (base !== undefined && !sound.has(base)) sound.set(base, await isSoundBase(r, base));
    const isLost = base === undefined ? !(await isThere(r.layout.manifest(id))) : sound.get(base) === false;
    if (isLost) lost.push(id);
  }
  return lost;
}

/** Asked once for all that stand on it; whether each of them is what was published is for verify to say. */
async function isSoundBase(r: Repository, id: string): Promise<boolean> {
  const whole = await readStoredManifest(r, id);
  return whole !== undefined && (await provesItself(r, id, whole));
}

/** `rebuild_manifest`: reads the payload of each and writes its manifest, if that is the one that was published. */
export async function rebuildManifests(r: Repository, { signal }: RepairOptions = {}): Promise<Repair[]> {
  const repairs: Repair[] = [];
  const lost = await lostManifests(r);
  if (lost.length === 0) return repairs;
  await withTreePool(async (pool) => {
    for (const id of lost) {
      const descriptor = await findDescriptor(r, id).catch(() => undefined);
      if (descriptor === undefined || !(await isThere(r.layout.snapshot(id)))) continue;
      const { entries } = await readTree(pool, r.layout.snapshot(id), { skip: [READY_FILE], signal });
      const text = serializeManifest(entries.sort());
      if (sha256OfByteString(text) !== descriptor.payload_root_hash.value) continue;
      await replaceFile(r.layout.manifest(id), Buffer.from(text, 'latin1'), r.layout.tmp);
      repairs.push({
        repair: 'rebuild_manifest',
        description: `Made the manifest of snapshot ${id} anew from its payload.`,
      });
    }
  });
  return repairs;
}
