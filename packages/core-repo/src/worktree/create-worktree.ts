import { randomUUID } from 'node:crypto';
import { mkdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { prettyJson, wellFormed } from '@jvs/platform/canonical-json';
import { timestamp } from '@jvs/platform/clock';
import { removeTree, syncDirectory, syncTree, writeNew } from '@jvs/platform/durable-fs';
import { CodedError } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { parseStateRecord } from '@jvs/lock-lease';
import { SnapshotCondemnedError } from '../audit/audit-log.ts';
import type { AuditOperation } from '../audit/audit-record.ts';
import { checkName } from '../names.ts';
import { ExistsError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { carryOut } from './carry-out.ts';
import { recordBeginning } from './finish-operation.ts';
import { firstState } from './first-state.ts';
import { refuseTakenName } from './free-name.ts';
import { cleared } from './kept-tree.ts';
import { materialize, type Materialized, type MaterializeOptions } from './materialize.ts';
import { keepingFresh, makeOpDirectory, move } from './op-directory.ts';
import { claimName } from './operation-moves.ts';
import { stateLog } from './state-log.ts';
import { worktreeNames, worktreeOf, type Worktree } from './worktree.ts';
import type { WorktreeConfig } from './worktree-config.ts';

/** Another command took the name back, as one that was claimed a minute ago and abandoned. */
export class NameWithdrawnError extends CodedError {
  readonly code = 'E_WORKTREE_PENDING';
  constructor(worktree: string) {
    super(`The name "${worktree}" was taken back: the program stood still for a minute after claiming it`, {
      hint: 'Nothing was made. Run the command again.',
      details: { worktree, operation: 'create' },
    });
  }
}

export interface CreateWorktreeOptions extends Omit<MaterializeOptions, 'contents'> {
  /** Read every byte of the result and compare hashes, not only names, types, sizes and modes. */
  verify?: boolean | undefined;
  /** The snapshot that it starts from. Default: none, an empty payload. */
  from?: string | undefined;
  label?: string | undefined;
  /** What the audit log calls it. Default: `worktree_create`. */
  operation?: AuditOperation | undefined;
}

export interface CreatedWorktree extends Materialized {
  worktree: Worktree;
  /** Where a directory that stood in the way of the payload was put. */
  intruders: string[];
}

/**
 * Makes a worktree with a payload of its own. The tree is whole and durable before its name is claimed; the name is
 * claimed by one rename, so among many only one gets it; what a crash interrupts, the next command settles.
 * @throws NameInvalidError, ExistsError, PartialSnapshotError, PayloadMismatchError, SnapshotCondemnedError
 */
export async function createWorktree(
  r: Repository,
  name: string,
  { from, label, operation, ...options }: CreateWorktreeOptions = {},
): Promise<CreatedWorktree> {
  checkName('worktree', name);
  const descriptor = from === undefined ? undefined : await requireVisible(r, from);
  await refuseTakenName(r, name);
  const opId = randomUUID();
  const config: WorktreeConfig = {
    worktree_id: randomUUID(),
    isolation: 'exclusive',
    created_at: timestamp(r.clock.now()),
    base_snapshot_id: from ?? null,
    label: label === undefined ? null : wellFormed(label),
  };
  const op = await makeOpDirectory(r, opId);
  const state = r.layout.state(config.worktree_id);
  let made: Materialized = { content: 'verified', degradations: [] };
  try {
    if (descriptor === undefined) await mkdir(join(op, 'new'));
    else made = await keepingFresh(op, () => materialize(r, descriptor, join(op, 'new'), contents(options)));
    await mkdir(state);
    await syncDirectory(r.layout.states);
    await syncTree(op, options.signal);
    await writeMetadata(op, config);
    failpoint('create:opdir');
    await claimAlone(r, op, name);
  } catch (error) {
    await removeTree(op, r.layout.tmp).catch(() => {});
    await rmdir(state).catch(() => {});
    throw error;
  }
  failpoint('create:claim');
  const worktree = worktreeOf(r, name, config);
  return { worktree, intruders: await register(worktree, op, opId, operation), ...made };
}

/** Last before the claim: how old it is tells others how long a claimed name has been without a log. */
async function writeMetadata(op: string, config: WorktreeConfig): Promise<void> {
  await mkdir(join(op, 'meta'));
  await writeNew(join(op, 'meta', 'config.json'), prettyJson(config), true);
  await syncDirectory(join(op, 'meta'));
  await syncDirectory(op);
}

/** Names that differ in case alone do not meet in the rename that claims them, so whoever sees another one steps back. */
async function claimAlone(r: Repository, op: string, name: string): Promise<void> {
  const claimed = r.layout.worktreeMeta(name);
  await mkdir(dirname(r.layout.payload(name)), { recursive: true });
  if (!(await claimName(op, claimed))) throw taken(name);
  const twin = (await worktreeNames(r)).find((other) => other !== name && other.toLowerCase() === name.toLowerCase());
  if (twin === undefined) return;
  await move(op, claimed, join(op, 'meta'));
  throw taken(twin);
}

function contents({ verify, ...options }: Omit<CreateWorktreeOptions, 'from'>): MaterializeOptions {
  return { ...options, contents: verify === true ? 'read' : undefined };
}

function taken(name: string): ExistsError {
  return new ExistsError('worktree', name, 'Choose another name.');
}

/**
 * State record 1 and its audit record, under the rule for what makes a snapshot a root; then the payload's move to its
 * place and the end. Returns what stood in its way.
 */
async function register(
  w: Worktree,
  op: string,
  opId: string,
  operation: AuditOperation | undefined,
): Promise<string[]> {
  const { repository: r } = w;
  const { base_snapshot_id: snapshotId } = w.config;
  const pending = { op: 'create', op_id: opId, snapshot_id: snapshotId } as const;
  const appended = await stateLog(r, w.id).appendAt(1, () => firstState(w, pending));
  if (appended === 'lost') {
    await removeTree(op, r.layout.tmp);
    throw new NameWithdrawnError(w.name);
  }
  failpoint('create:record');
  const begun = parseStateRecord(appended);
  const isRefused = (await recordBeginning(r, begun, { operation })) === 'refused';
  if (!isRefused) failpoint('create:audit');
  const { ended, op: at } = await carryOut(w, { begun, op, isRefused, word: { operation } });
  if (ended.kind === 'end') failpoint('create:end');
  const { intruders } = at === undefined ? { intruders: [] } : await cleared(r, at);
  if (ended.kind === 'remove') throw new SnapshotCondemnedError(snapshotId ?? '');
  return intruders;
}
