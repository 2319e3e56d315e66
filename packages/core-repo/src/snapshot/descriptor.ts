import * as z from 'zod/mini';
import { canonicalDigest, prettyJson } from '@jvs/platform/canonical-json';
import { readControlFile } from '../control-file.ts';
import { SNAPSHOT_ID, SnapshotId } from '../names.ts';
import { DescriptorCorruptError, NotFoundError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';

export const Checksum = z.strictObject({
  algo: z.literal('sha256'),
  value: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
});

/** Metadata of a snapshot, written once. Format: docs/specs/jvs.md, "Descriptor". */
export const Descriptor = z.strictObject({
  snapshot_id: SnapshotId,
  worktree_id: z.uuid(),
  /** The worktree's name at that time. */
  worktree_name: z.string(),
  parent_snapshot_id: z.nullable(SnapshotId),
  created_at: z.string(),
  created_by: z.string(),
  note: z.string(),
  tags: z.array(z.string()),
  engine: z.string(),
  /** What the copy could not keep, sorted. */
  degradations: z.array(z.string()),
  consistency_level: z.enum(['quiesced', 'best_effort']),
  fencing_token: z.int(),
  /** `record_hash` of the newest audit record that the maker had seen. */
  audit_anchor: z.string(),
  payload_root_hash: Checksum,
  payload_stats: z.strictObject({ files: z.int(), dirs: z.int(), symlinks: z.int(), bytes: z.int() }),
  descriptor_checksum: Checksum,
  /** `verified`: every byte of the copy was read to make the manifest. */
  integrity_state: z.enum(['verified', 'unverified']),
});
export type Descriptor = z.infer<typeof Descriptor>;

/** SHA-256 of the canonical bytes of everything but the checksum itself and `integrity_state`. */
export function descriptorChecksum(
  descriptor: Omit<Descriptor, 'descriptor_checksum' | 'integrity_state'>,
): z.infer<typeof Checksum> {
  return { algo: 'sha256', value: canonicalDigest(descriptor, 'descriptor_checksum', 'integrity_state') };
}

export function serializeDescriptor(descriptor: Descriptor): string {
  return prettyJson(descriptor);
}

/** Undefined when there is none. @throws DescriptorCorruptError when it is unreadable or its checksum differs */
export async function findDescriptor(r: Repository, id: string): Promise<Descriptor | undefined> {
  const path = r.layout.descriptor(id);
  const descriptor = await readControlFile(path, Descriptor);
  if (descriptor === undefined) return undefined;
  if (descriptor.snapshot_id !== id) throw new DescriptorCorruptError(path, `describes ${descriptor.snapshot_id}`);
  if (descriptorChecksum(descriptor).value !== descriptor.descriptor_checksum.value) {
    throw new DescriptorCorruptError(path, 'does not agree with its checksum');
  }
  return descriptor;
}

/** @throws NotFoundError, DescriptorCorruptError */
export async function readDescriptor(r: Repository, id: string): Promise<Descriptor> {
  const descriptor = SNAPSHOT_ID.test(id) ? await findDescriptor(r, id) : undefined;
  if (descriptor === undefined) throw new NotFoundError('snapshot', id, 'Run "jvs history" to see the snapshots.');
  return descriptor;
}
