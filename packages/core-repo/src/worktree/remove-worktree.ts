import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { syncTree } from '@jvs/platform/durable-fs';
import { CodedError } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { scanTree, withTreePool } from '@jvs/platform/tree';
import { status } from '../history/status.ts';
import type { OnProgress } from '../progress.ts';
import type { Repository } from '../repository.ts';
import { withReserve } from '../reserve.ts';
import { refuseMounts } from '../snapshot/payload-rules.ts';
import { beginOperation, carryOut } from './carry-out.ts';
import { OperationUndoneError, WorktreePendingError } from './end-operation.ts';
import { recordBeginning } from './finish-operation.ts';
import { discardKept, remainsOf, type KeptPayload } from './kept-tree.ts';
import { makeOpDirectory, move } from './op-directory.ts';
import { checkMovable, openUnlocked } from './unlocked.ts';
import { hasPayload, type Worktree } from './worktree.ts';

/** The worktree holds changes that are in no snapshot. */
export class WorktreeDirtyError extends CodedError {
  readonly code = 'E_WORKTREE_DIRTY';
  constructor(worktree: string, paths: readonly string[]) {
    const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : '';
    super(`Worktree "${worktree}" has changes that are in no snapshot: ${paths.slice(0, SHOWN).join(', ')}${more}`, {
      hint: 'Take a snapshot first, or remove it with --force; the tree is then kept for 24 hours.',
      details: { worktree, paths: paths.slice(0, SHOWN), count: paths.length },
    });
  }
}

const SHOWN = 10;

export interface RemoveWorktreeOptions {
  /** Also with changes that are in no snapshot. */
  force?: boolean | undefined;
  /** Delete the payload at once instead of keeping it for a day. */
  discard?: boolean | undefined;
  /** Only look whether it could be removed. */
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

export interface RemovedWorktree {
  /** Its name, which is free again. */
  removed: string;
  /** Where its payload is kept; null where it was discarded, or is not removed yet. */
  kept: KeptPayload | null;
}

/**
 * Removes an unlocked worktree: its name and its payload. Its snapshots and its state log stay, so its history does.
 * @throws NameInvalidError, NotFoundError, WorktreeLockedError, WorktreeDirtyError, WorktreePendingError
 */
export async function removeWorktree(
  r: Repository,
  name: string,
  { force, discard, dryRun, signal, onProgress }: RemoveWorktreeOptions = {},
): Promise<RemovedWorktree> {
  checkMovable(name);
  const { w, record } = await openUnlocked(r, name, dryRun);
  const isThere = await hasPayload(w);
  if (isThere && force !== true) await refuseChanges(w, signal, onProgress);
  if (isThere) refuseMounts(await withTreePool((pool) => scanTree(pool, w.path, { signal })));
  if (dryRun === true) return { removed: name, kept: null };

  const opId = randomUUID();
  const op = r.layout.opDirectory(opId);
  const pending = { op: 'remove', op_id: opId, reason: null } as const;
  const begun = await withReserve(r.layout, async () => {
    await prepare(w, opId, isThere);
    failpoint('remove:opdir');
    return await beginOperation(w, record, op, { lock: null, pending });
  });
  if (begun === 'lost') {
    // Somebody was faster; what he did decides what is said.
    await openUnlocked(r, name);
    throw new WorktreePendingError(name, 'another command was faster');
  }
  failpoint('remove:begin');
  await withReserve(r.layout, () => recordBeginning(r, begun));
  failpoint('remove:audit');
  const firstMove = async (): Promise<void> => {
    if (isThere) await move(op, w.path, join(op, 'old'));
    failpoint('remove:payload');
  };
  const { ended, op: at } = await carryOut(w, { begun, op, firstMove });
  failpoint('remove:end');
  if (ended.kind !== 'remove') throw new OperationUndoneError(name, 'removal');
  const remains = discard === true ? await discardKept(r, at) : await remainsOf(at);
  if (discard === true) failpoint('remove:discard');
  return { removed: name, kept: remains.kept ?? null };
}

async function refuseChanges(
  w: Worktree,
  signal: AbortSignal | undefined,
  onProgress: OnProgress | undefined,
): Promise<void> {
  const { clean, added, removed, modified, mode_changed, type_changed } = await status(w, { signal, onProgress });
  if (!clean)
    throw new WorktreeDirtyError(w.name, [added, removed, modified, mode_changed, type_changed].flat().sort());
}

/** Where there is no payload to move, an empty one stands for it: an empty op directory says that nothing was done. */
async function prepare({ repository: r }: Worktree, opId: string, hasTree: boolean): Promise<void> {
  const op = await makeOpDirectory(r, opId);
  if (!hasTree) await mkdir(join(op, 'old'), { recursive: true });
  await syncTree(op);
}
