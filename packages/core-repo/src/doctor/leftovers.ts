import { isThere } from '@jvs/platform/durable-fs';
import { CodedError } from '@jvs/platform/errors';
import { findCondemnedPlan } from '../audit/audit-log.ts';
import { listDirectory } from '../list-directory.ts';
import { SNAPSHOT_ID } from '../names.ts';
import type { Repository } from '../repository.ts';
import { findIntents } from '../snapshot/intent.ts';
import { readManifestBases } from '../snapshot/manifest-bases.ts';
import { committedHeads } from './committed-heads.ts';

/** A file or tree of a snapshot that lacks its other parts. */
export interface Leftover {
  id: string;
  /** `committed`: a state record has it as head, so that something of it was lost; else what it is that is left. */
  what: 'unfinished' | 'tree' | 'descriptor' | 'manifest' | 'committed';
  path: string;
}

/**
 * Files of snapshots that no intent explains, and no plan that is deleting them. Files are listed first and intents
 * after, since an author's intent comes first and goes last; a snapshot that was published between two listings is
 * looked at again. With a log that cannot be read nothing is known to be a leftover.
 */
export async function findLeftovers(r: Repository): Promise<Leftover[]> {
  const { layout } = r;
  const trees = await listDirectory(layout.snapshots);
  const descriptors = idsIn(await listDirectory(layout.descriptors), '.json');
  const manifests = idsIn(await listDirectory(layout.manifests), '.manifest');
  const announced = new Set((await findIntents(r)).map(({ snapshotId }) => snapshotId));
  const known = await readKnown(r);
  if (known === undefined) return [];
  const isExplained = (id: string): boolean => announced.has(id) || known.isBeingDeleted(id);
  const lossOr = (id: string, what: Leftover['what']): Leftover['what'] =>
    known.committed.has(id) ? 'committed' : what;
  const bases = await readManifestBases(r);

  const leftovers: Leftover[] = [];
  for (const name of trees) {
    const id = name.replace(/\.tmp$/, '');
    if (!SNAPSHOT_ID.test(id) || isExplained(id)) continue;
    if (name.endsWith('.tmp')) leftovers.push({ id, what: 'unfinished', path: layout.unfinishedSnapshot(id) });
    else if (!descriptors.has(id) && !(await isThere(layout.descriptor(id)))) {
      leftovers.push({ id, what: lossOr(id, 'tree'), path: layout.snapshot(id) });
    }
  }
  const found = new Set(trees);
  for (const id of descriptors) {
    if (found.has(id) || isExplained(id) || (await isThere(layout.snapshot(id)))) continue;
    leftovers.push({ id, what: lossOr(id, 'descriptor'), path: layout.descriptor(id) });
  }
  for (const id of manifests) {
    if (descriptors.has(id) || isExplained(id) || known.committed.has(id) || bases.has(id)) continue;
    if (await isThere(layout.descriptor(id))) continue;
    leftovers.push({ id, what: 'manifest', path: layout.manifest(id) });
  }
  // One that was deleted meanwhile, or is visible by now, is none.
  const stillThere = await Promise.all(leftovers.map(({ path }) => isThere(path)));
  return leftovers.filter((_, index) => stillThere[index]);
}

interface Known {
  committed: ReadonlySet<string>;
  isBeingDeleted(id: string): boolean;
}

async function readKnown(r: Repository): Promise<Known | undefined> {
  try {
    const committed = await committedHeads(r);
    const condemned = await findCondemnedPlan(r);
    return { committed, isBeingDeleted: (id) => condemned?.covers(id) === true };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return undefined;
  }
}

function idsIn(files: readonly string[], end: string): Set<string> {
  return new Set(
    files
      .filter((file) => file.endsWith(end))
      .map((file) => file.slice(0, -end.length))
      .filter((id) => SNAPSHOT_ID.test(id)),
  );
}
