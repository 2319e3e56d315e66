import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { removeTree, syncTree } from '@jvs/platform/durable-fs';
import { failpoint } from '@jvs/platform/failpoint';
import { ExistsError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { beginOperation, carryOut } from './carry-out.ts';
import { OperationUndoneError, WorktreePendingError } from './end-operation.ts';
import { recordBeginning } from './finish-operation.ts';
import { refuseTakenName } from './free-name.ts';
import { cleared } from './kept-tree.ts';
import { copyMetadata, makeOpDirectory, move } from './op-directory.ts';
import { checkMovable, openUnlocked } from './unlocked.ts';
import { requireSameFilesystem, type Worktree } from './worktree.ts';

export interface RenamedWorktree {
  old: string;
  new: string;
  /** Where something was put that stood in the way of the payload. */
  intruders: string[];
}

/**
 * Gives an unlocked worktree another name and its payload another place. Identity, history and snapshots stay; snapshots
 * keep the name that the worktree had.
 * @throws NameInvalidError, NotFoundError, ExistsError, WorktreeLockedError, WorktreePendingError
 */
export async function renameWorktree(r: Repository, from: string, to: string): Promise<RenamedWorktree> {
  checkMovable(from);
  checkMovable(to);
  const { w, record } = await openUnlocked(r, from);
  if (from === to) throw new ExistsError('worktree', to, 'It has that name already.');
  await refuseTakenName(r, to, from);
  await requireSameFilesystem(w);
  const opId = randomUUID();
  const op = await prepare(w, opId);
  failpoint('rename:opdir');
  const begun = await beginOperation(w, record, op, { lock: null, pending: { op: 'rename', op_id: opId, from, to } });
  if (begun === 'lost') {
    // Somebody was faster; what he did decides what is said.
    await openUnlocked(r, from);
    throw new WorktreePendingError(from, 'another command was faster');
  }
  failpoint('rename:begin');
  await recordBeginning(r, begun);
  failpoint('rename:audit');
  const firstMove = async (): Promise<void> => {
    await move(op, w.path, join(op, 'payload'));
    failpoint('rename:payload');
  };
  const { ended, op: at } = await carryOut(w, { begun, op, firstMove });
  failpoint('rename:end');
  const { intruders } = at === undefined ? { intruders: [] } : await cleared(r, at);
  if (ended.worktree !== to) {
    await refuseTakenName(r, to, from);
    throw new OperationUndoneError(from, 'rename');
  }
  return { old: from, new: to, intruders };
}

async function prepare({ repository: r, name }: Worktree, opId: string): Promise<string> {
  const op = await makeOpDirectory(r, opId);
  try {
    await copyMetadata(r, name, op);
    await syncTree(op);
    return op;
  } catch (error) {
    await removeTree(op, r.layout.tmp).catch(() => {});
    throw error;
  }
}
