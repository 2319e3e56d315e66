import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { sha256 } from '@jvs/platform/digest';
import { READY_FILE } from '../layout.ts';
import { SNAPSHOT_ID } from '../names.ts';
import type { Repository } from '../repository.ts';
import { Descriptor, findDescriptor } from '../snapshot/descriptor.ts';
import { findIntents } from '../snapshot/intent.ts';
import { serializeReadyMarker, type MarkedDescriptor } from '../snapshot/ready-marker.ts';
import { isComplete } from '../snapshot/visible.ts';
import type { Datable } from './retention.ts';

/** What a plan needs to know of a snapshot. */
export interface KnownSnapshot extends Datable {
  parent: string | null;
  bytes: number;
  /** What the marker in its tree says when the tree is whole. */
  marker: MarkedDescriptor;
}

/** So many files are read in one go before others get their turn. */
const BATCH = 256;

/**
 * Every published snapshot by id. Files are listed first and intents after, since an author's intent comes first and
 * goes last; what an intent still hides is none.
 * @throws DescriptorCorruptError: a snapshot whose parent cannot be read may be all that keeps another
 */
export async function readInventory(r: Repository, signal?: AbortSignal): Promise<Map<string, KnownSnapshot>> {
  const ids = (await readdir(r.layout.descriptors))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .filter((id) => SNAPSHOT_ID.test(id))
    .sort();
  const hidden = new Set<string>();
  for (const { snapshotId, state } of await findIntents(r)) if (state !== 'committed') hidden.add(snapshotId);
  const known = new Map<string, KnownSnapshot>();
  for (const [index, id] of ids.entries()) {
    if (index % BATCH === 0) {
      signal?.throwIfAborted();
      await setImmediate();
    }
    if (hidden.has(id)) continue;
    const descriptor = readSound(r, id) ?? (await findDescriptor(r, id));
    if (descriptor !== undefined) known.set(id, summarize(descriptor));
  }
  return known;
}

/** So many snapshots are looked at at a time. */
const LOOKS = 32;

/** Those of `ids` whose trees are damaged or half deleted: not whole, whatever their descriptors say. */
export async function incompleteAmong(
  r: Repository,
  known: ReadonlyMap<string, KnownSnapshot>,
  ids: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<string[]> {
  const doubtful: string[] = [];
  for (const [index, id] of [...ids].entries()) {
    if (index % BATCH === 0) {
      signal?.throwIfAborted();
      await setImmediate();
    }
    if (!hasItsMarker(r, known.get(id)?.marker)) doubtful.push(id);
  }
  const incomplete: string[] = [];
  for (let at = 0; at < doubtful.length; at += LOOKS) {
    signal?.throwIfAborted();
    const some = doubtful.slice(at, at + LOOKS);
    const looks = await Promise.all(some.map((id) => isComplete(r, id)));
    incomplete.push(...some.filter((_, index) => looks[index] === false));
  }
  return incomplete;
}

/** To the letter; false for the least doubt, as for {@link readSound}. */
function hasItsMarker(r: Repository, expected: MarkedDescriptor | undefined): boolean {
  if (expected === undefined) return false;
  try {
    const path = join(r.layout.snapshot(expected.snapshot_id), READY_FILE);
    return readText(path) === serializeReadyMarker(expected);
  } catch {
    return false;
  }
}

/** Waits for nobody, should a FIFO have taken the file's place. */
function readText(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

type Read = MarkedDescriptor & Pick<Descriptor, 'worktree_id' | 'parent_snapshot_id' | 'tags' | 'payload_stats'>;

const NOT_COVERED = ['descriptor_checksum', 'integrity_state'];
/** In the order of the canonical form, as are `algo` and `value` in the file. */
const COVERED = Object.keys(Descriptor.shape)
  .filter((key) => !NOT_COVERED.includes(key))
  .sort();

/**
 * A descriptor that agrees with its checksum; undefined for the least doubt, which is for `findDescriptor` to settle.
 * The same question in a tenth of the time: ten thousand turns of the event loop, and as many checks of schemas and
 * general canonical forms, take seconds.
 */
function readSound(r: Repository, id: string): Read | undefined {
  try {
    const read = JSON.parse(readText(r.layout.descriptor(id))) as Read;
    const isSound = read.snapshot_id === id && sha256(canonicalText(read)) === read.descriptor_checksum.value;
    return isSound ? read : undefined;
  } catch {
    return undefined;
  }
}

/** The canonical form of what the checksum covers: JSON.stringify writes keys in the order in which they were set. */
function canonicalText(read: Read): string {
  const ordered: Record<string, unknown> = {};
  for (const key of COVERED) ordered[key] = read[key as keyof Read];
  const { bytes, dirs, files, symlinks } = read.payload_stats;
  ordered['payload_stats'] = { bytes, dirs, files, symlinks };
  return JSON.stringify(ordered);
}

function summarize(descriptor: Read): KnownSnapshot {
  return {
    id: descriptor.snapshot_id,
    worktreeId: descriptor.worktree_id,
    parent: descriptor.parent_snapshot_id,
    createdAtMs: Date.parse(descriptor.created_at),
    tags: descriptor.tags,
    bytes: descriptor.payload_stats.bytes,
    marker: {
      snapshot_id: descriptor.snapshot_id,
      created_at: descriptor.created_at,
      engine: descriptor.engine,
      descriptor_checksum: descriptor.descriptor_checksum,
      payload_root_hash: descriptor.payload_root_hash,
    },
  };
}
