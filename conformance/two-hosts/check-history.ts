import type { AuditRecord, StateRecord } from '@jvs/testkit';

import { checkChain, checkEvents, checkState, nameOf } from './check-logs.ts';
import { checkOrder } from './check-order.ts';
import type { FinalRepository } from './final-repository.ts';
import { acknowledged, failureOf, publishedBy, type LoggedCommand } from './logged-command.ts';

/**
 * Judges what the programs on both hosts were told by what is left in the end. Returns every broken promise as a sentence;
 * none, if all were kept:
 *
 * - each log is one chain, and each state record has its one audit record;
 * - a token belongs to one holder, and tokens only grow;
 * - heads are moved by the holder alone, from the snapshot's parent to the snapshot;
 * - what was acknowledged is on record, once; what was refused is not;
 * - a command that began after another had ended comes after it;
 * - acknowledged snapshots are there, verified, and in the lineage, unless they were collected.
 */
export function checkHistory(commands: readonly LoggedCommand[], repository: FinalRepository): string[] {
  return [
    ...checkChain('audit', repository.audit),
    ...repository.states.flatMap((records) => checkState(records, repository)),
    ...checkEvents(repository),
    ...checkCommands(commands, repository),
    ...repository.states.flatMap((records) => checkOrder(commands, records)),
  ];
}

/** Failures that say that nothing was done, unlike `E_IO`, after which only the log knows. */
const REFUSALS = [
  'E_LOCK_CONFLICT',
  'E_CLOCK_SKEW_EXCEEDED',
  'E_LOCK_NOT_HELD',
  'E_LOCK_EXPIRED',
  'E_FENCING_MISMATCH',
  'E_HEAD_MOVED',
  'E_CONSISTENCY_UNAVAILABLE',
  'E_WORKTREE_PENDING',
];

function checkCommands(commands: readonly LoggedCommand[], repository: FinalRepository): string[] {
  return commands.flatMap((command) => {
    const lost = acknowledged<unknown>(command) === undefined ? checkRefusal(command, repository) : [];
    const problems = [...checkLocking(command, repository), ...checkPublication(command, repository), ...lost];
    return [...problems, ...checkOthers(command, repository)].map((what) => `${describe(command)} ${what}`);
  });
}

function describe({ id, words, worktree }: LoggedCommand): string {
  return `${id} (${words.slice(0, 2).join(' ')}${worktree === null ? '' : ` in ${worktree}`})`;
}

function checkLocking(command: LoggedCommand, { states, audit }: FinalRepository): string[] {
  const [verb, action] = command.words;
  if (verb !== 'lock') return [];
  const told = acknowledged<{ lock: { fencing_token: number } }>(command)?.lock?.fencing_token;
  if (action === 'acquire' && told !== undefined) {
    const record = logOf(states, command.worktree).find(({ seq }) => seq === told);
    const isOurs = record?.lock?.purpose === command.id && record.lock.session_id === command.process;
    const event = audit.find(({ event_id }) => event_id === record?.event_id);
    return [
      ...(isOurs ? [] : [`was told token ${told}, which the log gives to somebody else`]),
      ...(event?.fencing_token === told ? [] : [`was told token ${told}, of which there is no audit record`]),
    ];
  }
  if (action === 'renew' && told !== undefined) {
    const isAudited = audit.some(({ operation, target, fencing_token, session_id }) => {
      const isIt = operation === 'lock_renew' && target === command.worktree && fencing_token === told;
      return isIt && session_id === command.process;
    });
    return isAudited ? [] : [`renewed token ${told}, of which there is no audit record`];
  }
  return [];
}

function checkPublication(command: LoggedCommand, repository: FinalRepository): string[] {
  const told = publishedBy(command);
  if (told === undefined) return [];
  const { states, audit, descriptors, tombstones, verified } = repository;
  const id = told.snapshot_id;
  const records = logOf(states, command.worktree);
  const problems: string[] = [];
  const commits = records.filter(({ kind, head_snapshot_id }) => kind === 'head' && head_snapshot_id === id);
  if (commits.length !== 1) problems.push(`published ${id}, which the log has ${commits.length} times`);
  if (told.note !== command.id) problems.push(`was told of ${id}, which is another's`);
  if (!audit.some((event) => event.operation === 'snapshot' && event.snapshot_id === id)) {
    problems.push(`published ${id}, of which there is no audit record`);
  }
  if (tombstones.has(id)) return problems;
  const checksum = descriptors.get(id)?.descriptor_checksum.value;
  if (checksum !== told.descriptor_checksum.value) problems.push(`published ${id}, which is gone or another now`);
  if (!verified.has(id)) problems.push(`published ${id}, which does not verify`);
  if (!lineageOf(records.at(-1)?.head_snapshot_id ?? null, repository).has(id)) {
    problems.push(`published ${id}, which is not in the lineage of ${nameOf(records)}`);
  }
  return problems;
}

/** The snapshot and its ancestors, collected ones too. */
function lineageOf(head: string | null, { descriptors, tombstones }: FinalRepository): Set<string> {
  const lineage = new Set<string>();
  for (let id = head; id !== null && !lineage.has(id);) {
    lineage.add(id);
    id = (descriptors.get(id) ?? tombstones.get(id))?.parent_snapshot_id ?? null;
  }
  return lineage;
}

function checkRefusal(command: LoggedCommand, { states, descriptors, tombstones }: FinalRepository): string[] {
  const code = failureOf(command);
  if (code === undefined || !REFUSALS.includes(code)) return [];
  const [verb, action] = command.words;
  const records = logOf(states, command.worktree);
  if (verb === 'lock' && action !== 'release' && code === 'E_LOCK_CONFLICT') {
    const taken = records.find(({ lock }) => lock?.purpose === command.id);
    return taken === undefined ? [] : [`was refused with ${code} and has record ${taken.seq} nevertheless`];
  }
  if (verb !== 'snapshot') return [];
  const made = [...descriptors.values(), ...tombstones.values()].find(({ note }) => note === command.id);
  const commit = records.find(({ head_snapshot_id }) => made !== undefined && head_snapshot_id === made.snapshot_id);
  return commit === undefined ? [] : [`was refused with ${code} and published ${commit.head_snapshot_id} nevertheless`];
}

/** Worktrees, refs and collections that were acknowledged. */
function checkOthers(command: LoggedCommand, repository: FinalRepository): string[] {
  const { states, audit } = repository;
  const [verb, action, name = ''] = command.words;
  const told = acknowledged<{ deleted_count?: number }>(command);
  if (told === undefined) return [];
  const has = (holds: (event: AuditRecord) => boolean, what: string) => (audit.some(holds) ? [] : [what]);
  if ((verb === 'worktree' && action === 'create') || verb === 'fork') {
    const [worktree, from] = verb === 'fork' ? [name, action] : [name, command.words[4]];
    const records = logOf(states, worktree);
    const isMade =
      records[0]?.head_snapshot_id === from && records[1]?.kind === 'end' && records.at(-1)?.pending === null;
    const isDone = ({ operation, target, details }: AuditRecord): boolean =>
      operation === 'worktree_create' && target === worktree && details['outcome'] === 'done';
    return [
      ...(isMade ? [] : [`made ${worktree}, whose log does not say so`]),
      ...has(isDone, `made ${worktree}, of which there is no audit record`),
      ...checkRoot(from, repository),
    ];
  }
  if (verb === 'ref') {
    const isIt = ({ operation, target }: AuditRecord): boolean => operation === 'ref_create' && target === name;
    return [...has(isIt, 'has no audit record'), ...checkRoot(command.words[3], repository)];
  }
  if (verb === 'gc' && action === 'run' && (told.deleted_count ?? 0) > 0) {
    return has(({ operation }) => operation === 'gc_done', 'has no audit record');
  }
  return [];
}

/** What a worktree or a ref was made for is there, for neither is ever removed or moved here. */
function checkRoot(id: string | undefined, { verified }: FinalRepository): string[] {
  return id !== undefined && verified.has(id) ? [] : [`needs ${id}, which is not there any more`];
}

function logOf(states: FinalRepository['states'], worktree: string | null): readonly StateRecord[] {
  return states.find((records) => records.at(-1)?.worktree === worktree) ?? [];
}
