import { sha256OfByteString } from '@jvs/platform/digest';
import { isThereNow } from '@jvs/platform/durable-fs';
import { allEntries, withTreePool, scanTree, type TreePool, type TreeScan } from '@jvs/platform/tree';
import { chooseEngine, cloneAndRead, countCloned, type Degradation } from '@jvs/snapshot-engine';
import { SnapshotCondemnedError } from '../audit/audit-log.ts';
import { compareManifests } from '../history/compare-manifests.ts';
import { READY_FILE } from '../layout.ts';
import { advance, type OnProgress } from '../progress.ts';
import type { Repository } from '../repository.ts';
import type { Descriptor } from '../snapshot/descriptor.ts';
import { PayloadMismatchError, readManifestEntries, serializeManifest } from '../snapshot/manifest.ts';

export interface MaterializeOptions {
  /**
   * Whether every byte of the result is read and compared, not only names, types, sizes and modes. Default: where the
   * engine has read all of them anyway.
   */
  contents?: 'read' | 'unread' | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

export interface Materialized {
  /** Whether contents were read and compared. */
  content: 'verified' | 'unread';
  degradations: readonly Degradation[];
}

/**
 * Clones a snapshot's tree to `target`, which must not exist, and compares it with the manifest.
 * @throws PayloadMismatchError naming what differs; SnapshotCondemnedError when the tree was taken away on the way
 */
export async function materialize(
  r: Repository,
  descriptor: Descriptor,
  target: string,
  options: MaterializeOptions,
): Promise<Materialized> {
  const id = descriptor.snapshot_id;
  try {
    return await cloneAndCompare(r, descriptor, target, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    const isGone = !(await isThereNow(r.layout.snapshot(id)).catch(() => true));
    throw isGone ? new SnapshotCondemnedError(id, error) : error;
  }
}

async function cloneAndCompare(
  r: Repository,
  descriptor: Descriptor,
  target: string,
  { contents, signal, onProgress }: MaterializeOptions,
): Promise<Materialized> {
  const id = descriptor.snapshot_id;
  const source = r.layout.snapshot(id);
  const expected = await readManifestEntries(r, id, descriptor.payload_root_hash.value);
  const { engine } = await chooseEngine(r.layout.tmp);
  return await withTreePool(async (pool) => {
    const scan = await scanTree(pool, source, { skip: [READY_FILE], signal });
    onProgress?.({ type: 'phase', phase: 'copying' });
    const isRead =
      contents === 'read' || (contents === undefined && engine.cost === 'per byte') || expected === undefined;
    onProgress?.({ type: 'planned', files: scan.totals.files, bytes: scan.totals.bytes });
    const report = advance(onProgress);
    if (!isRead) {
      const onCloned = report && countCloned(scan, report);
      const degradations = await engine.clone(source, target, { scan, signal, onCloned });
      onProgress?.({ type: 'phase', phase: 'checking' });
      await compareNames(pool, target, expected, id, signal);
      return { content: 'unread', degradations };
    }
    const options = { scan, signal, onProgress: report };
    const { entries, degradations } = await cloneAndRead(engine, pool, source, target, options);
    compareContents(entries, expected, descriptor);
    return { content: 'verified', degradations };
  });
}

function compareContents(
  entries: readonly string[],
  expected: readonly string[] | undefined,
  { snapshot_id: id, payload_root_hash: root }: Descriptor,
): void {
  if (expected !== undefined) refuseDifferences(id, expected, entries);
  else if (sha256OfByteString(serializeManifest(entries)) !== root.value) {
    throw new PayloadMismatchError(
      `The payload of snapshot ${id} differs from what was published, and its manifest is lost`,
    );
  }
}

async function compareNames(
  pool: TreePool,
  target: string,
  expected: readonly string[],
  id: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const entries = shapesOf(await scanTree(pool, target, { signal })).sort();
  refuseDifferences(id, expected.map(withoutHash), entries);
}

/** Entries as in a manifest, without hashes. */
function shapesOf(scan: TreeScan): string[] {
  const shapes: string[] = [];
  for (const { path, kind, sizeBytes, metadata } of allEntries(scan)) {
    const mode = (Number(metadata.split(' ', 1)[0]) & 0o7777).toString(8).padStart(4, '0');
    shapes.push(
      kind === 'file' ? `${path}\0file ${mode} ${sizeBytes}` : `${path}\0${kind} ${kind === 'symlink' ? '-' : mode} -`,
    );
  }
  return shapes;
}

function withoutHash(entry: string): string {
  return entry.slice(0, entry.lastIndexOf(' '));
}

/** Both sorted. */
function refuseDifferences(id: string, expected: readonly string[], found: readonly string[]): void {
  const paths = Object.values(compareManifests(expected, found)).flat();
  if (paths.length === 0) return;
  throw new PayloadMismatchError(
    `The payload of snapshot ${id} differs from its manifest: ${paths.slice(0, 10).join(', ')}`,
    {
      hint: `Run "jvs verify ${id}" to see all of it.`,
      details: { snapshot_id: id, paths: paths.slice(0, 10), count: paths.length },
    },
  );
}
