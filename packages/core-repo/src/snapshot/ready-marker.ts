import { join } from 'node:path';
import * as z from 'zod/mini';
import { prettyJson } from '@jvs/platform/canonical-json';
import { readControlFile } from '../control-file.ts';
import { READY_FILE } from '../layout.ts';
import { SnapshotId } from '../names.ts';
import { Checksum, type Descriptor } from './descriptor.ts';

/** `snapshots/<id>/.READY`: the tree beside it is the whole payload of that descriptor. */
export const ReadyMarker = z.looseObject({
  snapshot_id: SnapshotId,
  created_at: z.string(),
  engine: z.string(),
  descriptor_checksum: Checksum,
  payload_root_hash: Checksum,
});
export type ReadyMarker = z.infer<typeof ReadyMarker>;

/** What of a descriptor its marker repeats. */
export type MarkedDescriptor = Pick<
  Descriptor,
  'snapshot_id' | 'created_at' | 'engine' | 'descriptor_checksum' | 'payload_root_hash'
>;

export function serializeReadyMarker(descriptor: MarkedDescriptor): string {
  const { snapshot_id, created_at, engine, descriptor_checksum, payload_root_hash } = descriptor;
  return prettyJson({ snapshot_id, created_at, engine, descriptor_checksum, payload_root_hash });
}

/** Undefined when the tree has none. @throws DescriptorCorruptError */
export async function readReadyMarker(tree: string): Promise<ReadyMarker | undefined> {
  return await readControlFile(join(tree, READY_FILE), ReadyMarker);
}

export function agrees(marker: ReadyMarker, descriptor: MarkedDescriptor): boolean {
  return (
    marker.snapshot_id === descriptor.snapshot_id &&
    marker.created_at === descriptor.created_at &&
    marker.engine === descriptor.engine &&
    marker.descriptor_checksum.value === descriptor.descriptor_checksum.value &&
    marker.payload_root_hash.value === descriptor.payload_root_hash.value
  );
}
