import { readState } from '@jvs/lock-lease';
import { CodedError } from '@jvs/platform/errors';
import { SNAPSHOT_ID } from '../names.ts';
import { NotFoundError } from '../repository-errors.ts';
import { readRef } from '../refs/read-ref.ts';
import type { Repository } from '../repository.ts';
import { publishedIds } from '../snapshot/visible.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { openWorktree, type Worktree } from '../worktree/worktree.ts';
import { lineage } from './lineage.ts';

/** The expression fits several snapshots. */
export class AmbiguousIdError extends CodedError {
  readonly code = 'E_AMBIGUOUS_ID';
  constructor(expression: string, ids: readonly string[]) {
    super(`"${expression}" fits several snapshots: ${ids.slice(0, 10).join(', ')}`, {
      hint: 'Use more characters.',
      details: { expression, ids },
    });
  }
}

const HEAD = /^(?:([^:]+):)?HEAD(?:~(\d+))?$/;

/**
 * The id that a snapshot expression stands for: a full id; `HEAD`, `HEAD~n`, `<worktree>:HEAD[~n]`; a ref; the unique
 * start of an id (6 characters) or of its random part (4).
 * @throws NotFoundError, AmbiguousIdError
 */
export async function resolveSnapshot(r: Repository, expression: string, w?: Worktree): Promise<string> {
  if (SNAPSHOT_ID.test(expression)) return expression;
  const head = HEAD.exec(expression);
  if (head !== null) return await resolveHead(r, expression, head[1], Number(head[2] ?? 0), w);
  const byRef = await readRef(r, expression);
  if (byRef !== undefined) return byRef;
  const ids = await publishedIds(r);
  const byStart = expression.length >= 6 ? ids.filter((id) => id.startsWith(expression)) : [];
  const byRandom = expression.length >= 4 ? ids.filter((id) => id.slice(14).startsWith(expression)) : [];
  const found = byStart.length > 0 ? byStart : byRandom;
  if (found.length > 1) throw new AmbiguousIdError(expression, found);
  if (found[0] === undefined)
    throw new NotFoundError('snapshot', expression, 'Run "jvs history" to see the snapshots.');
  return found[0];
}

async function resolveHead(
  r: Repository,
  expression: string,
  worktree: string | undefined,
  steps: number,
  current: Worktree | undefined,
): Promise<string> {
  const w = worktree === undefined ? current : await openWorktree(r, worktree);
  if (w === undefined) throw new NotFoundError('snapshot', expression, 'Say which worktree: <worktree>:HEAD.');
  let left = steps;
  for await (const { descriptor } of lineage(r, (await readState(lockSite(w))).head_snapshot_id)) {
    if (left === 0) return descriptor.snapshot_id;
    left -= 1;
  }
  throw new NotFoundError('snapshot', expression, `The history of "${w.name}" does not go back that far.`);
}
