import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prettyJson } from '@jvs/platform/canonical-json';
import { sha256OfByteString } from '@jvs/platform/digest';
import { hasCode } from '@jvs/platform/errors';
import { withTreePool, readTree, type TreePool } from '@jvs/platform/tree';
import { compareManifests, sizeOf } from '../history/compare-manifests.ts';
import { READY_FILE } from '../layout.ts';
import { advance, type OnProgress } from '../progress.ts';
import { DescriptorCorruptError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor, readDescriptor, type Descriptor } from '../snapshot/descriptor.ts';
import { pathOf, readManifestEntries, serializeManifest } from '../snapshot/manifest.ts';
import { agrees, readReadyMarker } from '../snapshot/ready-marker.ts';
import { requireVisible } from '../snapshot/visible.ts';

export interface VerifyOptions {
  /** Read the payload. Default: true; without, `payload_hash_valid` is null. */
  payload?: boolean | undefined;
  /** Read only about this share of the bytes, above 0 and at most 1, and at least one file. Default: all. */
  sample?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

export interface PathProblem {
  /** Display form. */
  path: string;
  problem: 'missing' | 'extra' | 'different';
}

export interface SnapshotVerification {
  snapshot_id: string;
  /** Whether the descriptor is what its checksum says, and the tree's marker agrees. */
  checksum_valid: boolean;
  /** Whether every byte is what was published; null where not every byte was read. */
  payload_hash_valid: boolean | null;
  tamper_detected: boolean;
  severity: 'info' | 'error' | 'critical';
  /** The class of what is wrong; `manifest_missing` is no tampering. */
  code: `E_${string}` | 'manifest_missing' | null;
  why: string | null;
  paths: PathProblem[];
}

/**
 * Reads a visible snapshot, descriptor, marker, manifest and every byte, and compares. Stat information and caches count
 * for nothing.
 * @throws NotFoundError, PartialSnapshotError
 */
export async function verifySnapshot(
  r: Repository,
  id: string,
  options: VerifyOptions = {},
): Promise<SnapshotVerification> {
  return await withTreePool(async (pool) => {
    return await verifyWith(pool, r, id, options);
  });
}

/** Reads a snapshot that need not be visible: its descriptor is valid, and every byte is compared. */
export async function verifySnapshotTree(
  r: Repository,
  id: string,
  options: VerifyOptions = {},
): Promise<SnapshotVerification> {
  return await withTreePool(async (pool) => {
    return await verifyPayload(pool, r, await readDescriptor(r, id), options);
  });
}

/** {@link verifySnapshot} for many snapshots with one pool. */
export async function verifyWith(
  pool: TreePool,
  r: Repository,
  id: string,
  options: VerifyOptions,
): Promise<SnapshotVerification> {
  try {
    const descriptor = await requireVisible(r, id);
    await requireOwnForm(r.layout.descriptor(id));
    await requireOwnForm(join(r.layout.snapshot(id), READY_FILE));
    return await verifyPayload(pool, r, descriptor, options);
  } catch (error) {
    if (hasCode(error, 'E_PARTIAL_SNAPSHOT') && error instanceof Error && (await hasLyingMarker(r, id))) {
      return corrupt(id, 'E_DESCRIPTOR_CORRUPT', error.message);
    }
    if (!hasCode(error, 'E_DESCRIPTOR_CORRUPT') || !(error instanceof Error)) throw error;
    return corrupt(id, 'E_DESCRIPTOR_CORRUPT', error.message);
  }
}

/**
 * Readers take any JSON that says the right thing; a byte that has changed without changing what is said is damage all
 * the same.
 * @throws DescriptorCorruptError
 */
async function requireOwnForm(path: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  if (prettyJson(JSON.parse(text) as object) !== text) {
    throw new DescriptorCorruptError(path, 'is not written in its own form');
  }
}

/** A marker that disagrees with a valid descriptor is tampering; a missing one is a snapshot that was never finished. */
async function hasLyingMarker(r: Repository, id: string): Promise<boolean> {
  const marker = await readReadyMarker(r.layout.snapshot(id));
  const descriptor = await findDescriptor(r, id);
  return marker !== undefined && descriptor !== undefined && !agrees(marker, descriptor);
}

function corrupt(id: string, code: SnapshotVerification['code'], why: string): SnapshotVerification {
  return {
    snapshot_id: id,
    checksum_valid: false,
    payload_hash_valid: null,
    tamper_detected: true,
    severity: 'critical',
    code,
    why,
    paths: [],
  };
}

async function verifyPayload(
  pool: TreePool,
  r: Repository,
  descriptor: Descriptor,
  options: VerifyOptions,
): Promise<SnapshotVerification> {
  const { snapshot_id: id, payload_root_hash: root } = descriptor;
  const sound: SnapshotVerification = {
    snapshot_id: id,
    checksum_valid: true,
    payload_hash_valid: null,
    tamper_detected: false,
    severity: 'info',
    code: null,
    why: null,
    paths: [],
  };
  const mismatch = (why: string, paths: PathProblem[]): SnapshotVerification => ({
    ...sound,
    payload_hash_valid: false,
    tamper_detected: true,
    severity: 'critical',
    code: 'E_PAYLOAD_HASH_MISMATCH',
    why,
    paths,
  });
  let expected: string[] | undefined;
  try {
    expected = await readManifestEntries(r, id, root.value);
  } catch (error) {
    if (!hasCode(error, 'E_PAYLOAD_HASH_MISMATCH') || !(error instanceof Error)) throw error;
    return mismatch(error.message, []);
  }
  const lost = {
    ...sound,
    severity: 'error' as const,
    code: 'manifest_missing' as const,
    why: 'the manifest is missing; "jvs doctor --repair-runtime" makes it anew from the payload',
  };
  if (options.payload === false) return expected === undefined ? lost : sound;
  const tree = r.layout.snapshot(id);
  const { signal, onProgress } = options;
  if (isSample(options) && expected !== undefined) {
    const sample = drawSample(expected, options.sample);
    const paths = sample.map(pathOf);
    const { entries } = await readTree(pool, tree, { paths, deep: false, signal, onProgress: advance(onProgress) });
    const problems = compare(sample.sort(), entries.sort());
    return problems.length === 0 ? sound : mismatch('the payload differs from its manifest', problems);
  }
  const { entries, specials } = await readTree(pool, tree, {
    skip: [READY_FILE],
    signal,
    onProgress: advance(onProgress),
  });
  const found = [...entries, ...specials.map((path) => `${path}\0special`)].sort();
  if (expected === undefined) {
    const isWhole = sha256OfByteString(serializeManifest(found)) === root.value;
    return isWhole
      ? { ...lost, payload_hash_valid: true }
      : mismatch('the payload differs, and the manifest is missing', []);
  }
  const problems = compare(expected, found);
  if (problems.length === 0) return { ...sound, payload_hash_valid: true };
  return mismatch('the payload differs from its manifest', problems);
}

export function isSample(options: VerifyOptions): options is VerifyOptions & { sample: number } {
  return options.sample !== undefined;
}

/** Files at random until they make up the share of all bytes. */
function drawSample(entries: readonly string[], share: number): string[] {
  const files = entries.filter((entry) => entry.includes('\0file '));
  const wanted = share * files.reduce((sum, entry) => sum + sizeOf(entry), 0);
  const sample: string[] = [];
  for (let bytes = 0; files.length > 0 && (sample.length === 0 || bytes < wanted);) {
    const at = Math.floor(Math.random() * files.length);
    const drawn = files[at] ?? '';
    // The last one takes its place: closing the gap would move all that follow.
    files[at] = files.at(-1) ?? '';
    files.pop();
    sample.push(drawn);
    bytes += sizeOf(drawn);
  }
  return sample;
}

/** Both sorted. */
function compare(expected: readonly string[], found: readonly string[]): PathProblem[] {
  const { added, removed, ...different } = compareManifests(expected, found);
  const problems: PathProblem[] = [
    ...removed.map((path) => ({ path, problem: 'missing' as const })),
    ...added.map((path) => ({ path, problem: 'extra' as const })),
    ...Object.values(different)
      .flat()
      .map((path) => ({ path, problem: 'different' as const })),
  ];
  return problems.sort((a, b) => (a.path < b.path ? -1 : 1));
}
