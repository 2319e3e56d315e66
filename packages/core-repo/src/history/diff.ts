import { displayPath } from '@jvs/platform/byte-path';
import { readState } from '@jvs/lock-lease';
import type { Repository } from '../repository.ts';
import { streamManifest, type EntrySource } from '../snapshot/manifest-stream.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { lockSite } from '../worktree/lock-site.ts';
import type { Worktree } from '../worktree/worktree.ts';
import {
  changesBetween,
  listChanges,
  sizeOf,
  type Change,
  type ChangeKind,
  type Changes,
} from './compare-manifests.ts';
import { comparePayload, type ComparePayloadOptions } from './compare-payload.ts';

/** How one path changed; sizes in bytes, null where it is no file or not there. */
export interface PathStat {
  path: string;
  change: ChangeKind;
  bytes_before: number | null;
  bytes_after: number | null;
}

/** What differs between two payloads. */
export interface Diff extends Changes {
  /** A snapshot; null for the empty payload of a worktree without snapshots. */
  from: string | null;
  /** A snapshot, or the name of the worktree whose payload was looked at. */
  to: string;
  /** How many paths of each kind, and the sizes of the changed files on either side, bytes. */
  totals: Record<ChangeKind, number> & { bytes_before: number; bytes_after: number };
  /** With `stat`: every changed path, in the order of paths. */
  stat?: PathStat[];
}

export interface DiffOptions extends ComparePayloadOptions {
  /** Also tell of each path how large it was and is. */
  stat?: boolean | undefined;
}

/**
 * Compares two snapshots by their manifests, or a snapshot with the live payload of a worktree.
 * @param from a snapshot id; a worktree for its head; null for the empty payload
 * @param to a snapshot id, or a worktree for its live payload
 * @throws NotFoundError, PartialSnapshotError, PayloadMismatchError, PayloadUnsupportedError
 */
export async function diff(
  r: Repository,
  from: string | Worktree | null,
  to: string | Worktree,
  { stat = false, ...options }: DiffOptions = {},
): Promise<Diff> {
  const base = from === null || typeof from === 'string' ? from : (await readState(lockSite(from))).head_snapshot_id;
  const before = base === null ? [] : await manifestOf(r, base);
  const changes =
    typeof to === 'string'
      ? [...changesBetween(before, await manifestOf(r, to))]
      : await comparePayload(before, to.path, options);
  const lists = listChanges(changes);
  return {
    from: base,
    to: typeof to === 'string' ? to : to.name,
    ...lists,
    totals: totalsOf(lists, changes),
    ...(stat ? { stat: changes.map(statOf) } : {}),
  };
}

async function manifestOf(r: Repository, id: string): Promise<EntrySource> {
  return await streamManifest(r, await requireVisible(r, id));
}

function totalsOf(lists: Changes, changes: readonly Change[]): Diff['totals'] {
  let bytesBefore = 0;
  let bytesAfter = 0;
  for (const { before, after } of changes) {
    bytesBefore += sizeOf(before);
    bytesAfter += sizeOf(after);
  }
  return {
    added: lists.added.length,
    removed: lists.removed.length,
    modified: lists.modified.length,
    mode_changed: lists.mode_changed.length,
    type_changed: lists.type_changed.length,
    bytes_before: bytesBefore,
    bytes_after: bytesAfter,
  };
}

function statOf({ path, kind, before, after }: Change): PathStat {
  return { path: displayPath(path), change: kind, bytes_before: bytesOf(before), bytes_after: bytesOf(after) };
}

function bytesOf(entry: string | undefined): number | null {
  return entry?.includes('\0file ') === true ? sizeOf(entry) : null;
}
