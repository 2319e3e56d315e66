import { displayPath, type BytePath } from '@jvs/platform/byte-path';
import { isThere } from '@jvs/platform/durable-fs';
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
 * Clones the payload until a whole pass finds it as it was before its clone; the manifest is of the copy. Files that are
 * as the stat cache knows them, before and after, are copied but not read.
 */
export async function copyPayload(engine: SnapshotEngine, pool: TreePool, task: CopyTask): Promise<PayloadCopy> {
  const { w, target, signal, onProgress } = task;
  let { scan } = task;
  const { files, bytes } = scan.totals;
  const known = await findKnown(task);
  onProgress?.({ type: 'phase', phase: 'copying' });
  onProgress?.({ type: 'planned', files, bytes });
  const report = advance(onProgress);
  const only = known?.unknown;
  let cloned = await cloneAndRead(engine, pool, w.path, target, { scan, only, signal, onProgress: report });
  for (let round = 1; ; round += 1) {
    const now = await scanTree(pool, w.path, { signal });
    checkPayloadRules(now);
    let changed = task.consistency === 'best_effort' ? [] : stalePaths(cloned, scan, now);
    if (changed.length === 0) {
      const isReadWhole = !cloned.entries.some(isUnread);
      const { entries, open } = isReadWhole
        ? { ...cloned, open: [] }
        : await withHashes(w.repository, cloned, known?.id);
      if (open.length === 0) return { cloned: { ...cloned, entries }, scan: now, isReadWhole };
      changed = open;
    }
    if (round > ROUNDS)
      throw new ConsistencyUnavailableError(changed.map((path) => (path === '' ? '.' : displayPath(path))));
    cloned = await updateClone(engine, pool, w.path, target, cloned, changed, { scan: now, signal });
    scan = now;
  }
}

interface Known {
  /** The snapshot that has all files but these, sorted, as they are. */
  id: string;
  unknown: BytePath[];
}

async function findKnown({ w, scan, consistency, trustCache }: CopyTask): Promise<Known | undefined> {
  // Only a source that is found unchanged afterwards has the contents that its fingerprints stand for.
  if (!trustCache || consistency === 'best_effort') return undefined;
  const cache = await readStatCache(w.repository, w.id);
  if (cache === undefined || !(await isThere(w.repository.layout.manifest(cache.id)))) return undefined;
  const unknown = unknownFiles(cache, scan);
  return unknown.length === scan.totals.files ? undefined : { id: cache.id, unknown };
}

/** None where the manifest is lost or damaged. */
async function readProven(r: Repository, id: string): Promise<ManifestEntries> {
  try {
    const found = await findAncestor(r, id);
    return (found && (await readManifestEntries(r, id, found.descriptor.payload_root_hash.value))) ?? [];
  } catch (failure) {
    r.log.warn({ id, failure }, 'the manifest cannot be read');
    return [];
  }
}

const UNREAD = ` ${NOT_READ}`;

function isUnread(entry: string): boolean {
  return entry.includes(UNREAD, entry.indexOf('\0'));
}

/** Puts the hashes that a snapshot has where none was read; `open` is what it has not, or not with that size and mode. */
async function withHashes(
  r: Repository,
  { entries }: ClonedTree,
  id: string | undefined,
): Promise<{ entries: readonly string[]; open: BytePath[] }> {
  const known = id === undefined ? [] : await readProven(r, id);
  const filled: string[] = [];
  const open: BytePath[] = [];
  let at = 0;
  for (const entry of entries) {
    if (!isUnread(entry)) {
      filled.push(entry);
      continue;
    }
    const facts = entry.slice(0, entry.lastIndexOf(NOT_READ));
    while (at < known.length && (known[at] ?? '') < facts) at += 1;
    const match = known[at]?.startsWith(facts) === true ? known[at] : undefined;
    filled.push(match ?? entry);
    if (match === undefined) open.push(pathOf(entry));
  }
  return { entries: filled, open };
}
