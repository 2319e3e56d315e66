import { readState } from '@jvs/lock-lease';
import { CodedError } from '@jvs/platform/errors';
import { checkName } from '../names.ts';
import type { OnProgress } from '../progress.ts';
import { NotFoundError, UsageError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { createWorktree, type CreatedWorktree } from './create-worktree.ts';
import { lockSite } from './lock-site.ts';
import type { Worktree } from './worktree.ts';

/** Of several worktrees some were made before one could not be; those stay. The code is that of the failure. */
export class ForkIncompleteError extends CodedError {
  readonly code: `E_${string}`;
  constructor(made: readonly string[], failed: string, cause: Error & { code: string }) {
    super(`Worktree "${failed}" could not be made; made before: ${made.join(', ')}`, {
      cause,
      hint: `They stay. Fork the rest under another name, or remove them: jvs worktree remove ${made[0] ?? ''}`,
      details: { ...(cause instanceof CodedError ? cause.details : { errno: cause.code }), made, failed },
    });
    this.code = cause instanceof CodedError ? cause.code : 'E_IO';
  }
}

export interface ForkOptions {
  /** The snapshot that the new worktree starts from. Default: the head of the worktree. */
  from?: string | undefined;
  /** Makes so many, called `<name>-1` and so on. Default: one, called `<name>`. */
  count?: number | undefined;
  /** Read every byte of each and compare hashes. */
  verify?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

export interface Forked {
  snapshot_id: string;
  worktrees: CreatedWorktree[];
}

/**
 * Makes new worktrees from a snapshot.
 * @param w the worktree whose head is forked; the repository will do where the options name a snapshot
 * @throws NotFoundError where there is no snapshot yet; ForkIncompleteError; as createWorktree
 */
export async function fork(
  w: Worktree | Repository,
  name: string,
  { from, count, ...options }: ForkOptions = {},
): Promise<Forked> {
  if (count !== undefined && !(Number.isInteger(count) && count > 0)) throw new UsageError(`Not a count: ${count}`);
  const names = count === undefined ? [name] : Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);
  for (const each of names) checkName('worktree', each);
  const r = 'repository' in w ? w.repository : w;
  const id = from ?? (await headOf(w));
  const worktrees: CreatedWorktree[] = [];
  for (const each of names) {
    try {
      worktrees.push(await createWorktree(r, each, { ...options, from: id }));
    } catch (error) {
      const made = worktrees.map(({ worktree }) => worktree.name);
      throw made.length > 0 && isFailure(error) ? new ForkIncompleteError(made, each, error) : error;
    }
  }
  return { snapshot_id: id, worktrees };
}

async function headOf(w: Worktree | Repository): Promise<string> {
  const head = 'repository' in w ? (await readState(lockSite(w))).head_snapshot_id : null;
  if (head === null) throw new NotFoundError('snapshot', 'HEAD', 'Take a snapshot first, or name one.');
  return head;
}

/** One of ours, or of a system call; an interruption is none. */
function isFailure(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.name !== 'AbortError';
}
