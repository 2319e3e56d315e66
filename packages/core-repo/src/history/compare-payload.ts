import type { BytePath } from '@jvs/platform/byte-path';
import { allEntries, readTree, scanTree, withTreePool, type TreePool, type TreeScan } from '@jvs/platform/tree';
import { advance, type OnProgress } from '../progress.ts';
import { pathOf } from '../snapshot/manifest.ts';
import type { EntrySource } from '../snapshot/manifest-stream.ts';
import { checkPayloadRules } from '../snapshot/payload-rules.ts';
import { differingPairs, factsOf, kindOfChange, sizeOf, type Change } from './compare-manifests.ts';

export interface ComparePayloadOptions {
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

/**
 * What differs between a sorted manifest and the live tree at `root`, in manifest order. Reads the files of equal size
 * and the symlinks that both have; type, mode and size tell the rest.
 * @throws PayloadUnsupportedError
 */
export async function comparePayload(
  manifest: Iterable<string> | EntrySource,
  root: string,
  { signal, onProgress }: ComparePayloadOptions = {},
): Promise<Change[]> {
  return await withTreePool(async (pool) => {
    onProgress?.({ type: 'phase', phase: 'scanning' });
    const scan = await scanTree(pool, root, { signal });
    checkPayloadRules(scan);
    const { changes, unsure, bytes } = compareShapes(manifest, shapesOf(scan));
    onProgress?.({ type: 'phase', phase: 'comparing' });
    onProgress?.({ type: 'planned', files: unsure.size, bytes });
    changes.push(...(await compareContents(pool, root, unsure, { signal, onProgress })));
    return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
  });
}

/** Entries as in a manifest, without hashes, in its order. Sockets, FIFOs and devices are left out, as snapshots do. */
function shapesOf(scan: TreeScan): string[] {
  const shapes: string[] = [];
  for (const { path, kind, sizeBytes, metadata } of allEntries(scan)) {
    if (kind === 'special') continue;
    const mode = (Number(metadata.split(' ', 1)[0]) & 0o7777).toString(8).padStart(4, '0');
    if (kind === 'file') shapes.push(`${path}\0file ${mode} ${sizeBytes}`);
    else shapes.push(`${path}\0${kind} ${kind === 'symlink' ? '-' : mode} -`);
  }
  return shapes.sort();
}

interface Comparison {
  changes: Change[];
  /** The manifest's entries whose contents must be read to tell. */
  unsure: Map<BytePath, string>;
  bytes: number;
}

function compareShapes(manifest: Iterable<string> | EntrySource, shapes: Iterable<string>): Comparison {
  const result: Comparison = { changes: [], unsure: new Map(), bytes: 0 };
  for (const { path, before, after } of differingPairs(manifest, shapes)) {
    if (before === undefined) result.changes.push({ kind: 'added', path, before, after });
    else if (after === undefined) result.changes.push({ kind: 'removed', path, before, after });
    else {
      const [oldType, oldMode, oldSize] = factsOf(before);
      const [newType, newMode, newSize] = factsOf(after);
      const change = (kind: Change['kind']): void => void result.changes.push({ kind, path, before, after });
      if (oldType !== newType) change('type_changed');
      else if (oldType === 'dir') {
        if (oldMode !== newMode) change('mode_changed');
      } else if (oldSize !== newSize) change('modified');
      else {
        result.unsure.set(path, before);
        result.bytes += sizeOf(before);
      }
    }
  }
  return result;
}

async function compareContents(
  pool: TreePool,
  root: string,
  unsure: Map<BytePath, string>,
  { signal, onProgress }: ComparePayloadOptions,
): Promise<Change[]> {
  const changes: Change[] = [];
  if (unsure.size === 0) return changes;
  const { entries } = await readTree(pool, root, {
    paths: [...unsure.keys()],
    deep: false,
    signal,
    onProgress: advance(onProgress),
  });
  for (const after of entries) {
    const path = pathOf(after);
    const before = unsure.get(path);
    unsure.delete(path);
    if (before !== undefined && before !== after) {
      changes.push({ kind: kindOfChange(before, after), path, before, after });
    }
  }
  // What has vanished since the scan.
  for (const [path, before] of unsure) changes.push({ kind: 'removed', path, before, after: undefined });
  return changes;
}
