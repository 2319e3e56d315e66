import { timestamp } from '@jvs/platform/clock';
import { displayPath } from '@jvs/platform/byte-path';
import { wellFormed } from '@jvs/platform/canonical-json';
import { sha256OfByteString } from '@jvs/platform/digest';
import { CodedError } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { readBootId } from '@jvs/platform/filesystem';
import { withTreePool, scanTree, type TreePool } from '@jvs/platform/tree';
import { keepLock, type HeldLock, type KeptLock } from '@jvs/lock-lease';
import { chooseEngine, type ClonedTree, type SnapshotEngine } from '@jvs/snapshot-engine';
import { auditAnchor } from '../audit/audit-log.ts';
import { checkName, newSnapshotId } from '../names.ts';
import type { OnProgress } from '../progress.ts';
import { WorktreePendingError } from '../worktree/end-operation.ts';
import { lockSite } from '../worktree/lock-site.ts';
import { lockStatus, requireHeldLock } from '../worktree/locking.ts';
import { settleWorktree } from '../worktree/settle.ts';
import { withLock } from '../worktree/with-lock.ts';
import { requireSameFilesystem, type Worktree } from '../worktree/worktree.ts';
import { descriptorChecksum, type Descriptor } from './descriptor.ts';
import { copyPayload } from './copy-payload.ts';
import { abandonSnapshot, dropIntent } from './drop-snapshot.ts';
import { findIntents, type Intent } from './intent.ts';
import { serializeManifest } from './manifest.ts';
import { storedForm } from './manifest-difference.ts';
import { checkPayloadRules } from './payload-rules.ts';
import { announceSnapshot, commitSnapshot, lossBehind, placeSnapshot } from './publish.ts';
import { beginObserving, writeStatCache } from './stat-cache.ts';
import { isComplete } from './visible.ts';

/** With `strictMetadata`: the copy could not keep something. */
export class MetadataLossError extends CodedError {
  readonly code = 'E_METADATA_LOSS';
  constructor(labels: readonly string[]) {
    super(`The copy cannot keep: ${labels.join(', ')}`, {
      hint: 'Leave out --strict-metadata to take the snapshot with these labels.',
      details: { degradations: labels },
    });
  }
}

export interface SnapshotOptions {
  /** What changed, in a few words. Default: none. */
  note?: string | undefined;
  /** Names that belong to the snapshot for ever. */
  tags?: readonly string[] | undefined;
  /** `quiesced` refuses a source that does not stand still; `best_effort` takes what it finds. Default: `quiesced`. */
  consistency?: 'quiesced' | 'best_effort' | undefined;
  /** An engine by name, which must then work. Default: the cheapest that does. */
  engine?: string | undefined;
  /** Read every byte, whatever is known of files that look unchanged. */
  rehash?: boolean | undefined;
  /** Refuse to publish a copy that lost anything. */
  strictMetadata?: boolean | undefined;
  /** Take the lock for this snapshot alone, unless the session holds it already. */
  lock?: boolean | undefined;
  /** Called with the sockets, FIFOs and devices that the snapshot leaves out, in display form. */
  onSkipped?: ((paths: string[]) => void) | undefined;
  /** Called when the session's own lease had run out and was taken up again with a new token. */
  onLockRenewed?: ((held: HeldLock) => void) | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}

/**
 * Publishes a snapshot of the worktree and moves its head to it, by the twelve steps of docs/specs/jvs.md, "Publishing".
 * Nothing of it is visible before its state record is written; if that cannot be, nothing of it stays.
 * @throws LockNotHeldError, FencingMismatchError, ConsistencyUnavailableError, PayloadUnsupportedError, …
 */
export async function createSnapshot(w: Worktree, options: SnapshotOptions = {}): Promise<Descriptor> {
  for (const tag of options.tags ?? []) checkName('tag', tag);
  await settleWorktree(w, { signal: options.signal });
  if (options.lock !== true || (await lockStatus(w)).mine) return await createWithLock(w, options);
  return await withLock(
    w,
    ({ worktree }, lost) => createWithLock(worktree, { ...options, signal: either(options.signal, lost) }),
    {
      purpose: 'snapshot',
      signal: options.signal,
    },
  );
}

function either(signal: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  return signal === undefined ? other : AbortSignal.any([signal, other]);
}

async function createWithLock(w: Worktree, options: SnapshotOptions): Promise<Descriptor> {
  const { repository: r } = w;
  const site = lockSite(w);
  const held = await requireHeldLock(w, options.onLockRenewed);
  if (held.record.pending !== null) throw new WorktreePendingError(w.name, held.record.pending.op);
  const kept = keepLock(site, held);
  try {
    const { descriptor, remember } = await withTreePool((pool) => prepare(w, held, kept, pool, options));
    await commitSnapshot(r, held, site, descriptor.snapshot_id);
    await remember().catch((failure: unknown) => r.log.warn({ failure }, 'the stat cache was not written'));
    await sweepDeadIntents(w).catch((failure: unknown) => r.log.warn({ failure }, 'sweeping failed'));
    return descriptor;
  } finally {
    kept.stop();
  }
}

interface PreparedPayload {
  descriptor: Descriptor;
  /** Keeps, once the snapshot is committed, what the next one need not read again. */
  remember: () => Promise<void>;
}

async function prepare(
  w: Worktree,
  held: HeldLock,
  kept: KeptLock,
  pool: TreePool,
  options: SnapshotOptions,
): Promise<PreparedPayload> {
  const { repository: r } = w;
  const signal = either(options.signal, kept.lost);
  await requireSameFilesystem(w);
  const { engine } = await chooseEngine(r.layout.tmp, { requested: options.engine });
  options.onProgress?.({ type: 'phase', phase: 'scanning' });
  // What is taken as it comes need not be what the scan sees.
  const beforeMs = options.consistency === 'best_effort' ? undefined : await beginObserving(w, signal);
  const scan = await scanTree(pool, w.path, { signal });
  checkPayloadRules(scan);
  if (scan.specials.length > 0) options.onSkipped?.(scan.specials.map(displayPath));
  failpoint('publish:begin');

  const proceed = async (): Promise<void> => {
    signal.throwIfAborted();
    await kept.check();
  };
  const nowMs = r.clock.now();
  const id = newSnapshotId(nowMs);
  await proceed();
  // Outside: an intent of that id that is there already is not ours to drop.
  await announceSnapshot(r, await intentOf(w, held, id, engine));
  try {
    failpoint('publish:intent');
    const { cloned, isReadWhole, ...copied } = await copyPayload(engine, pool, {
      w,
      target: r.layout.unfinishedSnapshot(id),
      scan,
      consistency: options.consistency ?? 'quiesced',
      trustCache: beforeMs !== undefined && options.rehash !== true,
      signal,
      onProgress: options.onProgress,
    });
    failpoint('publish:clone');
    await proceed();

    options.onProgress?.({ type: 'phase', phase: 'publishing' });
    const manifest = serializeManifest(cloned.entries);
    failpoint('publish:manifest');
    if (options.strictMetadata === true && cloned.degradations.length > 0)
      throw new MetadataLossError(cloned.degradations);
    failpoint('publish:metadata');
    const descriptor = await compose(w, held, { id, nowMs, engine, manifest, cloned, isReadWhole, options });
    failpoint('publish:compose');
    const stored = await storedForm(r, descriptor.parent_snapshot_id, manifest);
    await placeSnapshot(r, held, lockSite(w), { descriptor, manifest: stored }, { check: proceed, signal });
    await proceed();
    const remember = async (): Promise<void> => {
      if (beforeMs !== undefined) await writeStatCache(r, w.id, { id, scan: copied.scan, beforeMs });
    };
    return { descriptor, remember };
  } catch (error) {
    await abandonSnapshot(r, id).catch((failure: unknown) => r.log.warn({ id, failure }, 'left for doctor to clean'));
    throw await lossBehind(error, lockSite(w), held);
  }
}

async function intentOf(w: Worktree, held: HeldLock, id: string, engine: SnapshotEngine): Promise<Intent> {
  const { clock, caller } = w.repository;
  return {
    snapshot_id: id,
    worktree_id: w.id,
    parent_snapshot_id: held.record.head_snapshot_id,
    fencing_token: held.lock.fencing_token,
    commit_seq: held.record.seq + 1,
    engine: engine.name,
    holder_id: caller.actor,
    boot_id: await readBootId(),
    started_at: timestamp(clock.now()),
  };
}

interface Parts {
  id: string;
  nowMs: number;
  engine: SnapshotEngine;
  manifest: string;
  cloned: ClonedTree;
  isReadWhole: boolean;
  options: SnapshotOptions;
}

async function compose(w: Worktree, held: HeldLock, parts: Parts): Promise<Descriptor> {
  const { repository: r } = w;
  const { id, nowMs, engine, manifest, cloned, isReadWhole, options } = parts;
  const { files, dirs, symlinks, bytes } = cloned.totals;
  const body = {
    snapshot_id: id,
    worktree_id: w.id,
    worktree_name: w.name,
    parent_snapshot_id: held.record.head_snapshot_id,
    created_at: timestamp(nowMs),
    created_by: r.caller.actor,
    note: wellFormed(options.note ?? ''),
    tags: [...(options.tags ?? [])],
    engine: engine.name,
    degradations: [...cloned.degradations],
    consistency_level: options.consistency ?? 'quiesced',
    fencing_token: held.lock.fencing_token,
    audit_anchor: await auditAnchor(r),
    payload_root_hash: { algo: 'sha256' as const, value: sha256OfByteString(manifest) },
    payload_stats: { files, dirs, symlinks, bytes },
  };
  return {
    ...body,
    descriptor_checksum: descriptorChecksum(body),
    integrity_state: isReadWhole ? 'verified' : 'unverified',
  };
}

/** Removes what earlier snapshots of this worktree left behind that died before they were complete. */
async function sweepDeadIntents(w: Worktree): Promise<void> {
  const { repository: r } = w;
  for (const found of await findIntents(r)) {
    if (found.intent?.worktree_id !== w.id || found.state !== 'dead') continue;
    if (!(await isComplete(r, found.snapshotId))) await dropIntent(r, found);
  }
}
