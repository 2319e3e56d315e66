import * as z from 'zod/mini';
import { readControlFile } from '../control-file.ts';
import { listDirectory } from '../list-directory.ts';
import { SnapshotId } from '../names.ts';
import { DescriptorCorruptError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';

/** `gc/pins/<pin_id>.json`: a snapshot is kept, for a reason, perhaps until some time. Never changed. */
export const Pin = z.looseObject({
  pin_id: z.uuid(),
  snapshot_id: SnapshotId,
  reason: z.string(),
  created_at: z.string(),
  /** From then on it protects nothing; null: never. */
  expires_at: z.nullable(z.string()),
  /** Of the audit record of its creation. */
  event_id: z.uuid(),
});
export type Pin = z.infer<typeof Pin>;

const PIN_FILE = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/;

/** Undefined when there is none of this id, or this is no id. @throws DescriptorCorruptError */
export async function findPin(r: Repository, pinId: string): Promise<Pin | undefined> {
  if (!PIN_FILE.test(`${pinId}.json`)) return undefined;
  const path = r.layout.pin(pinId);
  const pin = await readControlFile(path, Pin);
  if (pin !== undefined && pin.pin_id !== pinId) throw new DescriptorCorruptError(path, `describes pin ${pin.pin_id}`);
  return pin;
}

/** All pins, expired ones too, oldest first. @throws DescriptorCorruptError */
export async function readPins(r: Repository): Promise<Pin[]> {
  const pins: Pin[] = [];
  for (const file of await listDirectory(r.layout.pins)) {
    const pinId = PIN_FILE.exec(file)?.[1];
    const pin = pinId === undefined ? undefined : await findPin(r, pinId);
    if (pin !== undefined) pins.push(pin);
  }
  return pins.sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
}

export function isExpired(pin: Pin, nowMs: number): boolean {
  return pin.expires_at !== null && Date.parse(pin.expires_at) <= nowMs;
}
