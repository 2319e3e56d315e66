import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '@jvs/platform/digest';
import { hasCode } from '@jvs/platform/errors';
import { parseStateRecord, transitionProblem, type StateRecord } from '@jvs/lock-lease';
import { readTombstone, tombstonedIds } from '../gc/tombstone.ts';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';
import { findDescriptor } from '../snapshot/descriptor.ts';
import { publishedIds } from '../snapshot/visible.ts';
import { stateLog, stateLogIds } from '../worktree/state-log.ts';
import { readWorktreeConfig } from '../worktree/worktree-config.ts';
import { worktreeNames } from '../worktree/worktree.ts';
import { misspeltLogFiles } from './log-bytes.ts';

/** A worktree's state log as far as it could be read. */
export interface ReadStateLog {
  worktreeId: string;
  /** Event of record 1; undefined when there is no record 1 to be read. */
  createdBy: string | undefined;
  /** Events of all records but the newest. */
  events: { event: string; seq: number }[];
  newest: StateRecord | undefined;
}

/** A configuration on disk. */
export interface ReadConfig {
  name: string;
  worktreeId: string;
  digest: string;
}

/** What lies on disk that the audit chain must know of. */
export interface RecordedObjects {
  problems: string[];
  anchors: { id: string; anchor: string }[];
  states: Map<string, ReadStateLog>;
  configs: ReadConfig[];
  /** Digests of ref files by their event. */
  refs: Map<string, string>;
  /** Digests of pin files by their id. */
  pins: Map<string, string>;
  /** For each plan the lines `<id> <sha256>` of its tombstones. */
  tombstones: Map<string, string[]>;
}

/**
 * Reads what a record of the audit chain vouches for, in the order opposite to that in which it is written: who then
 * reads the chain finds the records of all of it.
 */
export async function readRecordedObjects(r: Repository): Promise<RecordedObjects> {
  const problems: string[] = [];
  const anchors = await readAnchors(r);
  const tombstones = await readTombstoneLines(r, problems);
  const pins = await digestsIn(r.layout.pins);
  const refs = new Map<string, string>();
  for (const name of await listDirectory(r.layout.refs)) {
    for (const [event, digest] of await digestsIn(r.layout.ref(name))) refs.set(event, digest);
  }
  const configs = await readConfigs(r, problems);
  const states = await readStates(r, problems);
  if ((await readFile(r.layout.repoId, 'utf8')) !== `${r.id}\n`) problems.push('repo_id does not end in a line feed');
  return { problems, anchors, states, configs, refs, pins, tombstones };
}

async function readAnchors(r: Repository): Promise<RecordedObjects['anchors']> {
  const anchors: RecordedObjects['anchors'] = [];
  for (const id of await publishedIds(r)) {
    // A damaged descriptor is told of by the verification of its snapshot.
    const descriptor = await findDescriptor(r, id).catch(() => undefined);
    if (descriptor !== undefined) anchors.push({ id, anchor: descriptor.audit_anchor });
  }
  return anchors;
}

async function readTombstoneLines(r: Repository, problems: string[]): Promise<Map<string, string[]>> {
  const plans = new Map<string, string[]>();
  for (const id of await tombstonedIds(r)) {
    try {
      const tombstone = await readTombstone(r, id);
      if (tombstone === undefined) continue;
      const line = `${id} ${sha256(await readFile(r.layout.tombstone(id)))}`;
      plans.set(tombstone.plan_id, [...(plans.get(tombstone.plan_id) ?? []), line]);
      if (tombstone.snapshot_id !== id) problems.push(`the tombstone of ${id} is that of ${tombstone.snapshot_id}`);
    } catch (error) {
      problems.push(`the tombstone of ${id} cannot be read: ${messageOf(error)}`);
    }
  }
  return plans;
}

/** SHA-256 of each JSON file of a directory by its name. */
async function digestsIn(directory: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const names = await listDirectory(directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOTDIR')) return [];
    throw error;
  });
  for (const name of names.filter((file) => file.endsWith('.json'))) {
    try {
      digests.set(name.slice(0, -'.json'.length), sha256(await readFile(join(directory, name))));
    } catch (error) {
      // Deleted meanwhile, or no file at all; its absence is noticed by what the chain says.
      if (!hasCode(error, 'ENOENT', 'EISDIR')) throw error;
    }
  }
  return digests;
}

async function readConfigs(r: Repository, problems: string[]): Promise<ReadConfig[]> {
  const configs: ReadConfig[] = [];
  for (const name of await worktreeNames(r)) {
    try {
      const config = await readWorktreeConfig(r, name);
      if (config === undefined) continue;
      const digest = sha256(await readFile(r.layout.worktreeConfig(name)));
      configs.push({ name, worktreeId: config.worktree_id, digest });
    } catch (error) {
      if (!hasCode(error, 'ENOTDIR')) problems.push(`worktree "${name}": ${messageOf(error)}`);
    }
  }
  return configs;
}

async function readStates(r: Repository, problems: string[]): Promise<Map<string, ReadStateLog>> {
  const states = new Map<string, ReadStateLog>();
  for (const worktreeId of await stateLogIds(r)) {
    const read: ReadStateLog = { worktreeId, createdBy: undefined, events: [], newest: undefined };
    states.set(worktreeId, read);
    const log = stateLog(r, worktreeId);
    const nameOf = (): string => (read.newest === undefined ? worktreeId : `"${read.newest.worktree}"`);
    try {
      for await (const line of log.records()) {
        const previous = read.newest;
        if (previous !== undefined) read.events.push({ event: previous.event_id, seq: previous.seq });
        read.newest = parseStateRecord(line);
        const problem = transitionProblem(previous, read.newest);
        if (problem !== undefined) problems.push(`state record ${line.seq} of worktree ${nameOf()} ${problem}`);
        read.createdBy ??= read.newest.event_id;
        if (read.newest.worktree_id !== worktreeId) problems.push(`the state log ${worktreeId} is another worktree's`);
      }
      const { beyondGap } = await log.garbage();
      if (beyondGap.length > 0) {
        problems.push(`state records ${beyondGap.join(', ')} of worktree ${nameOf()} lie beyond a gap`);
      }
      for (const name of await misspeltLogFiles(log.directory)) {
        problems.push(`${name} of worktree ${nameOf()}'s state log does not hold the canonical form of its records`);
      }
    } catch (error) {
      problems.push(`the state log of worktree ${nameOf()}: ${messageOf(error)}`);
    }
  }
  return states;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
