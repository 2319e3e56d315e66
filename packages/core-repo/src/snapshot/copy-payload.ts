import { displayPath, type BytePath } from '@jvs/platform/byte-path';
import { CodedError } from '@jvs/platform/errors';
import { NOT_READ, scanTree, type TreePool, type TreeScan } from '@jvs/platform/tree';
import { cloneAndRead, stalePaths, updateClone, type ClonedTree, type SnapshotEngine } from '@jvs/snapshot-engine';
import { findAncestor } from '../history/lineage.ts';
import { advance, type OnProgress } from '../progress.ts';
import type { Repository } from '../repository.ts';
import type { Worktree } from '../worktree/worktree.ts';
import { pathOf, readManifestEntries, type ManifestEntries } from './manifest.ts';
import { checkPayloadRules } from './payload-rules.ts';
import { readStatCache, unknownFiles } from './stat-cache.ts';

/** The source changed during a quiesced snapshot, again and again. */
export class ConsistencyUnavailableError extends CodedError {
  readonly code = 'E_CONSISTENCY_UNAVAILABLE';
  constructor(paths: readonly string[]) {
    super(`The worktree changed while the snapshot was being made: ${paths.slice(0, 10).join(', ')}`, {
      hint: 'Stop what writes there, or take the snapshot with --consistency best_effort.',
      details: { paths: paths.slice(0, 10), count: paths.length },
    });
  }
}

export interface CopyTask {
  w: Worktree;
  target: string;
  /** Of the source, just before. */
  scan: TreeScan;
  consistency: 'quiesced' | 'best_effort';
  /** Whether hashes may come from the stat cache. */
  trustCache: boolean;
  signal: AbortSignal;
  onProgress?: OnProgress | undefined;
}

export interface PayloadCopy {
  /** The copy, with a hash in every entry. */
  cloned: ClonedTree;
  /** The source as it was found after the copy was made. */
  scan: TreeScan;
  /** Whether every byte of the copy was read. */
  isReadWhole: boolean;
}

const ROUNDS = 3;

/**
 * Clones the payload until a whole pass finds it as it was before its clone; the manifest is of the copy alone. Files
 * that are as the stat cache knows them, before and after, are not read.
 */
export async function copyPayload(engine: SnapshotEngine, pool: TreePool, task: CopyTask): Promise<PayloadCopy> {
  const { w, target, signal, onProgress } = task;
  let { scan } = task;
  const { files, bytes } = scan.totals;
  const known = await knownHashes(task);
  onProgress?.({ type: 'phase', phase: 'copying' });
  onProgress?.({ type: 'planned', files, bytes });
  const report = advance(onProgress);
  const read = await cloneAndRead(engine, pool, w.path, target, {
    scan,
    only: known?.unknown,
    signal,
    onProgress: report,
  });
  const isReadWhole = !read.entries.some(isUnread);
  const { entries, open } = withHashes(read.entries, known?.entries ?? []);
  let cloned: ClonedTree = { ...read, entries };
  for (let round = 1; ; round += 1) {
    const now = await scanTree(pool, w.path, { signal });
    checkPayloadRules(now);
    const isTaken = task.consistency === 'best_effort';
    const changed = [...(isTaken ? [] : stalePaths(cloned, scan, now)), ...(round === 1 ? open : [])];
    if (changed.length === 0) return { cloned, scan: now, isReadWhole };
    if (round > ROUNDS)
      throw new ConsistencyUnavailableError(changed.map((path) => (path === '' ? '.' : displayPath(path))));
    cloned = await updateClone(engine, pool, w.path, target, cloned, changed, { scan: now, signal });
    scan = now;
  }
}

interface KnownHashes {
  /** Files that have to be read, sorted. */
  unknown: BytePath[];
  /** What the others are like, by the manifest of the snapshot that the cache is of. */
  entries: ManifestEntries;
}

async function knownHashes({ w, scan, consistency, trustCache }: CopyTask): Promise<KnownHashes | undefined> {
  // Only a source that is found unchanged afterwards has the contents that its fingerprints stand for.
  if (!trustCache || consistency === 'best_effort') return undefined;
  const cache = await readStatCache(w.repository, w.id);
  const entries = cache === undefined ? undefined : await provenEntries(w.repository, cache.id);
  return cache === undefined || entries === undefined ? undefined : { unknown: unknownFiles(cache, scan), entries };
}

async function provenEntries(r: Repository, id: string): Promise<ManifestEntries | undefined> {
  try {
    const found = await findAncestor(r, id);
    return found && (await readManifestEntries(r, id, found.descriptor.payload_root_hash.value));
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

function isUnread(entry: string): boolean {
  return entry.endsWith(` ${NOT_READ}`);
}

/** Puts the known hashes where none was read; `open` is what is not known after all. Both lists are sorted. */
function withHashes(entries: readonly string[], known: ManifestEntries): { entries: string[]; open: BytePath[] } {
  const filled: string[] = [];
  const open: BytePath[] = [];
  let at = 0;
  for (const entry of entries) {
    if (!isUnread(entry)) {
      filled.push(entry);
      continue;
    }
    const facts = entry.slice(0, -NOT_READ.length);
    while (at < known.length && (known[at] ?? '') < facts) at += 1;
    const match = known[at]?.startsWith(facts) === true ? known[at] : undefined;
    filled.push(match ?? entry);
    if (match === undefined) open.push(pathOf(entry));
  }
  return { entries: filled, open };
}
