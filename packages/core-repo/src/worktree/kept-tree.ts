import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { timestamp } from '@jvs/platform/clock';
import { removeTree } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';

/** A tree that was replaced, removed or found in the way lies this long in its op directory. */
export const KEEP_MS = 24 * 3_600_000;

/** A payload that an operation replaced or removed. */
export interface KeptPayload {
  path: string;
  /** Until when nothing deletes it. */
  until: string;
}

/** What of the user's an operation has left in its directory. */
export interface Remains {
  /** The payload that it replaced or removed. */
  kept?: KeptPayload | undefined;
  /** What stood in the way of a payload. Nothing deletes these. */
  intruders: string[];
}

/** The user's trees in an op directory; none where it is gone. */
export async function remainsOf(op: string | undefined): Promise<Remains> {
  if (op === undefined) return { intruders: [] };
  const inside = await listDirectory(op);
  const intruders = inside.filter(isIntruder).map((name) => join(op, name));
  if (!inside.includes('old')) return { intruders };
  try {
    const { mtimeMs } = await stat(op);
    return { kept: { path: join(op, 'old'), until: timestamp(mtimeMs + KEEP_MS) }, intruders };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { intruders: [] };
    throw error;
  }
}

/** Removes the directory of an operation that has ended, unless something of the user's is in it, which is returned. */
export async function cleared(r: Repository, op: string): Promise<Remains> {
  const remains = await remainsOf(op);
  if (remains.kept === undefined && remains.intruders.length === 0) await removeTree(op, r.layout.tmp);
  return remains;
}

/** Deletes the replaced or removed payload at once; what stood in the way stays. */
export async function discardKept(r: Repository, op: string | undefined): Promise<Remains> {
  if (op === undefined) return { intruders: [] };
  await removeTree(join(op, 'old'), r.layout.tmp);
  return await cleared(r, op);
}

function isIntruder(name: string): boolean {
  return name.startsWith('intruder-');
}
