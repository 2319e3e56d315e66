import { join } from 'node:path';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';

const BROKEN_AUDIT = /^audit\.broken-/;
const BROKEN_STATE = /^state\.broken-/;

/** Where audit chains lie that `audit_repair` has replaced, oldest first. */
export async function archivedChains(r: Repository): Promise<string[]> {
  return await archives(r, BROKEN_AUDIT);
}

/** Where state logs lie that `reset_state` has replaced, oldest first. */
export async function archivedStates(r: Repository): Promise<string[]> {
  return await archives(r, BROKEN_STATE);
}

async function archives(r: Repository, name: RegExp): Promise<string[]> {
  return (await listDirectory(r.layout.control))
    .filter((entry) => name.test(entry))
    .map((entry) => join(r.layout.control, entry));
}
