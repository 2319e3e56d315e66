import type { Lock, StateRecord } from '@jvs/testkit';

import { hashWithout } from '../jvs/canonical.ts';
import type { FinalRepository } from './final-repository.ts';

type Chained = Pick<StateRecord, 'seq' | 'prev_hash' | 'record_hash'>;

/** Gapless from 1, each linked to the one before, each with the hash of its own bytes. */
export function checkChain(log: string, records: readonly Chained[]): string[] {
  return records.flatMap((record, n) => {
    const where = `${log} record ${record.seq}`;
    const problems: string[] = [];
    if (record.seq !== n + 1) problems.push(`${where} stands at place ${n + 1}`);
    if (record.prev_hash !== (records[n - 1]?.record_hash ?? ''))
      problems.push(`${where} does not follow its predecessor`);
    if (record.record_hash !== hashWithout(record, 'record_hash'))
      problems.push(`${where} does not hash to its record_hash`);
    return problems;
  });
}

/** One worktree's log: who had the lock, and who moved the head. */
export function checkState(records: readonly StateRecord[], { descriptors, tombstones }: FinalRepository): string[] {
  const problems = checkChain(nameOf(records), records);
  const complain = (record: StateRecord, what: string) =>
    problems.push(`${nameOf(records)} record ${record.seq} (${record.kind}) ${what}`);
  let lock: Lock | null = null;
  let head: string | null = records[0]?.head_snapshot_id ?? null;
  for (const record of records) {
    const isTaken = record.kind === 'acquire' || record.kind === 'steal';
    if (isTaken && record.lock?.fencing_token !== record.seq) complain(record, 'has a token that is not its number');
    if (record.kind === 'acquire' && lock !== null) complain(record, 'takes a lock that was not free');
    if (record.kind === 'steal' && lock === null) complain(record, 'steals a lock that was free');
    if (!isTaken && record.lock !== null && record.lock.lock_id !== lock?.lock_id)
      complain(record, 'changes the holder');
    if (record.kind === 'head') {
      const id = record.head_snapshot_id ?? '';
      const descriptor = descriptors.get(id) ?? tombstones.get(id);
      if (lock === null) complain(record, 'moves the head without a lock');
      if (descriptor === undefined) complain(record, `publishes ${id}, which has neither descriptor nor tombstone`);
      if (descriptor !== undefined && descriptor.parent_snapshot_id !== head) complain(record, 'skips a snapshot');
      if (descriptor !== undefined && descriptor.fencing_token !== lock?.fencing_token)
        complain(record, 'has a foreign token');
      if (hostOf(record.actor) !== hostOf(lock?.holder_id ?? ''))
        complain(record, 'was written on another host than the holder’s');
    } else if (record.head_snapshot_id !== head && !(record.kind === 'end' && record.seq === 2)) {
      complain(record, 'moves the head');
    }
    ({ lock } = record);
    head = record.head_snapshot_id;
  }
  return problems;
}

/** Each state record has its audit record. One that occurs twice is one event. */
export function checkEvents({ states, audit }: FinalRepository): string[] {
  const recorded = new Set(audit.map(({ event_id }) => event_id));
  return states
    .flat()
    .filter(({ event_id }) => !recorded.has(event_id))
    .map(({ worktree, seq }) => `${worktree} record ${seq} has no audit record`);
}

export function nameOf(records: readonly StateRecord[]): string {
  return records.at(-1)?.worktree ?? 'an empty log';
}

/** `host:user:pid:start_time` */
function hostOf(actor: string): string {
  return actor.split(':', 1)[0] ?? '';
}
