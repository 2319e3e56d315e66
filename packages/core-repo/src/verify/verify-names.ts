import { CodedError, hasCode } from '@jvs/platform/errors';
import { findPin, isExpired } from '../gc/pin.ts';
import { listDirectory } from '../list-directory.ts';
import { findRef } from '../refs/ref.ts';
import type { Repository } from '../repository.ts';
import { requireVisible } from '../snapshot/visible.ts';

/** A ref, or a pin by its id, and whether it can be read and leads to a visible snapshot. */
export interface NameVerification {
  name: string;
  /** Null where the file cannot be read. */
  snapshot_id: string | null;
  valid: boolean;
}

export async function verifyRefs(r: Repository): Promise<NameVerification[]> {
  const refs: NameVerification[] = [];
  for (const name of await listDirectory(r.layout.refs)) {
    const found = await readable(() => findRef(r, name));
    if (found === 'damaged') refs.push({ name, snapshot_id: null, valid: false });
    else if (found !== undefined) {
      const id = found.ref.snapshot_id;
      refs.push({ name, snapshot_id: id, valid: await isVisible(r, id) });
    }
  }
  return refs;
}

/** A pin that has expired protects nothing, so its snapshot may be gone. */
export async function verifyPins(r: Repository): Promise<NameVerification[]> {
  const pins: NameVerification[] = [];
  for (const file of await listDirectory(r.layout.pins)) {
    const name = file.replace(/\.json$/, '');
    const found = await readable(() => findPin(r, name));
    if (found === 'damaged') pins.push({ name, snapshot_id: null, valid: false });
    else if (found !== undefined) {
      const id = found.snapshot_id;
      pins.push({ name, snapshot_id: id, valid: isExpired(found, r.clock.now()) || (await isVisible(r, id)) });
    }
  }
  return pins;
}

async function readable<T>(read: () => Promise<T>): Promise<T | 'damaged'> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CodedError || hasCode(error, 'EISDIR', 'EACCES', 'EIO', 'ELOOP')) return 'damaged';
    throw error;
  }
}

async function isVisible(r: Repository, id: string): Promise<boolean> {
  return (await readable(() => requireVisible(r, id))) !== 'damaged';
}
