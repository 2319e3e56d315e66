import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { unlinkIfThere, writeNew } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import type { Layout } from './layout.ts';

/** Really allocated, so random: a filesystem that compresses would keep nothing back for zeros. */
const RESERVE_BYTES = 4 * 1024 * 1024;

export async function writeReserve(layout: Layout): Promise<void> {
  await writeNew(layout.reserve, randomBytes(RESERVE_BYTES), false);
}

/**
 * Runs a command that frees or ends something. On a full disk it gets the room of the reserve, which is written again as
 * soon as there is room.
 */
export async function withReserve<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT') || !(await unlinkIfThere(layout.reserve))) throw error;
    failpoint('reserve:unlink');
  }
  try {
    return await work();
  } finally {
    await refillReserve(layout);
  }
}

/** Whether the reserve is there, all of it: a crash or a full disk may have left a short one. */
export async function hasReserve(layout: Layout): Promise<boolean> {
  try {
    return (await stat(layout.reserve)).size === RESERVE_BYTES;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Writes a missing or short reserve; false where there is no room for it. */
export async function refillReserve(layout: Layout): Promise<boolean> {
  if (await hasReserve(layout)) return true;
  await unlinkIfThere(layout.reserve);
  try {
    await writeReserve(layout);
    failpoint('reserve:write');
    return true;
  } catch (error) {
    // Somebody else writes it at this moment.
    if (hasCode(error, 'EEXIST')) return true;
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    await unlinkIfThere(layout.reserve);
    return false;
  }
}
