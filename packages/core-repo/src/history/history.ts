import { readState } from '@jvs/lock-lease';
import { tombstonedIds } from '../gc/tombstone.ts';
import { UsageError } from '../repository-errors.ts';
import type { Repository } from '../repository.ts';
import type { Descriptor } from '../snapshot/descriptor.ts';
import { publishedIds } from '../snapshot/visible.ts';
import { lockSite } from '../worktree/lock-site.ts';
import type { Worktree } from '../worktree/worktree.ts';
import { findAncestor, lineage } from './lineage.ts';

export interface HistoryEntry extends Descriptor {
  /** What to know before relying on it: `best_effort`, `unverified`, `deleted`. */
  risk_labels: string[];
}

export interface HistoryOptions {
  /** At most so many. Default: all. */
  limit?: number | undefined;
  /** Only notes that match this regular expression. */
  grep?: string | undefined;
  /** Only snapshots with this tag. */
  tag?: string | undefined;
}

/** The snapshots of a worktree, newest first. @throws LineageBrokenError after what could be read */
export async function* history(w: Worktree, options: HistoryOptions = {}): AsyncGenerator<HistoryEntry> {
  const filtered = filter(options);
  const { head_snapshot_id: head } = await readState(lockSite(w));
  if (filtered.isFull()) return;
  for await (const { descriptor, isDeleted } of lineage(w.repository, head)) {
    if (filtered.take(descriptor)) yield entryOf(descriptor, isDeleted);
    if (filtered.isFull()) return;
  }
}

/**
 * The snapshots of every worktree, of removed ones too, newest first by their time of creation. Deleted ones are known
 * from their tombstones.
 * @throws DescriptorCorruptError after what could be read
 */
export async function* wholeHistory(r: Repository, options: HistoryOptions = {}): AsyncGenerator<HistoryEntry> {
  const filtered = filter(options);
  const ids = new Set([...(await publishedIds(r)), ...(await tombstonedIds(r))]);
  for (const id of [...ids].sort().reverse()) {
    if (filtered.isFull()) return;
    const found = await findAncestor(r, id);
    if (found !== undefined && filtered.take(found.descriptor)) yield entryOf(found.descriptor, found.isDeleted);
  }
}

/** @throws UsageError for a pattern that is none */
function filter({ limit = Infinity, grep, tag }: HistoryOptions): { isFull(): boolean; take(d: Descriptor): boolean } {
  const pattern = grep === undefined ? undefined : compile(grep);
  let taken = 0;
  return {
    isFull: () => taken >= limit,
    take: ({ note, tags }) => {
      const matches = (pattern === undefined || pattern.test(note)) && (tag === undefined || tags.includes(tag));
      if (matches) taken += 1;
      return matches;
    },
  };
}

function compile(grep: string): RegExp {
  try {
    return new RegExp(grep, 'u');
  } catch (error) {
    throw new UsageError(`"${grep}" is no regular expression`, { cause: error });
  }
}

function entryOf(descriptor: Descriptor, isDeleted: boolean): HistoryEntry {
  const labels: string[] = [];
  if (descriptor.consistency_level === 'best_effort') labels.push('best_effort');
  if (descriptor.integrity_state === 'unverified') labels.push('unverified');
  if (isDeleted) labels.push('deleted');
  return { ...descriptor, risk_labels: labels };
}
