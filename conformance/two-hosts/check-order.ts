import type { StateRecord } from '@jvs/testkit';

import { acknowledged, publishedBy, type LoggedCommand } from './logged-command.ts';

/** A command that is one record of a worktree's log. */
interface Placed {
  id: string;
  seq: number;
  startedAt: number;
  endedAt: number;
}

/**
 * Commands on one worktree, by the clock that all programs share: what began after something had ended must come after it
 * in the log, and what was only read must be a state of the time in which it was read.
 */
export function checkOrder(commands: readonly LoggedCommand[], records: readonly StateRecord[]): string[] {
  const ours = commands.filter(({ worktree }) => worktree !== null && worktree === records.at(-1)?.worktree);
  const placed = ours.flatMap((command) => place(command, records)).toSorted((a, b) => a.seq - b.seq);
  return [...checkPlaces(placed), ...ours.flatMap((command) => checkReading(command, placed, records))];
}

function place(command: LoggedCommand, records: readonly StateRecord[]): Placed[] {
  const { id, words, startedAt, ending } = command;
  if (ending === undefined) return [];
  const published = publishedBy(command)?.snapshot_id;
  const token =
    words[1] === 'acquire' ? acknowledged<{ lock: { fencing_token: number } }>(command)?.lock.fencing_token : undefined;
  const commit = records.find(({ kind, head_snapshot_id }) => kind === 'head' && head_snapshot_id === published);
  const seq = token ?? commit?.seq;
  return seq === undefined ? [] : [{ id, seq, startedAt, endedAt: ending.at }];
}

function checkPlaces(placed: readonly Placed[]): string[] {
  const problems: string[] = [];
  let latest: Placed | undefined;
  for (const next of placed) {
    if (latest !== undefined && latest.seq !== next.seq && latest.startedAt > next.endedAt) {
      problems.push(`${latest.id} began after ${next.id} had ended, but is record ${latest.seq} before ${next.seq}`);
    }
    if (latest !== undefined && latest.seq === next.seq) problems.push(`${latest.id} and ${next.id} are one record`);
    if (latest === undefined || next.startedAt > latest.startedAt) latest = next;
  }
  return problems;
}

/** What a reading command may have seen, as a test of a record; undefined for commands that are no readings. */
function seenBy({ words, ending }: LoggedCommand): ((record: StateRecord) => boolean) | undefined {
  if (ending?.exitCode !== 0) return undefined;
  const [verb, action] = words;
  if (verb === 'lock' && (action === 'status' || action === 'renew')) {
    const { lock } = JSON.parse(ending.stdout) as { lock: { fencing_token: number } | null };
    return (record) => record.lock?.fencing_token === lock?.fencing_token;
  }
  if (verb === 'status') {
    const { head_snapshot_id: head } = JSON.parse(ending.stdout) as { head_snapshot_id: string | null };
    return (record) => record.head_snapshot_id === head;
  }
  if (verb === 'history') {
    const [newest] = JSON.parse(ending.stdout) as { snapshot_id: string }[];
    return (record) => record.head_snapshot_id === (newest?.snapshot_id ?? null);
  }
  return undefined;
}

function checkReading(command: LoggedCommand, placed: readonly Placed[], records: readonly StateRecord[]): string[] {
  const isSeen = seenBy(command);
  const { id, words, startedAt, ending } = command;
  if (isSeen === undefined || ending === undefined) return [];
  const earliest = Math.max(1, ...placed.filter((other) => other.endedAt < startedAt).map(({ seq }) => seq));
  const latest = Math.min(Infinity, ...placed.filter((other) => other.startedAt > ending.at).map(({ seq }) => seq - 1));
  const isOfItsTime = records.some((record) => record.seq >= earliest && record.seq <= latest && isSeen(record));
  const range = `${earliest} to ${latest === Infinity ? 'the end' : latest}`;
  return isOfItsTime ? [] : [`${id} (${words.slice(0, 2).join(' ')}) saw a state that is none of records ${range}`];
}
