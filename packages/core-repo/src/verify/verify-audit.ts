import { sha256 } from '@jvs/platform/digest';
import { isThere } from '@jvs/platform/durable-fs';
import type { Repository } from '../repository.ts';
import { readAuditEvidence, type AuditEvidence } from './audit-evidence.ts';
import { readRecordedObjects, type ReadStateLog, type RecordedObjects } from './recorded-objects.ts';

export interface AuditVerification {
  valid: boolean;
  /** Records that could be read. */
  count: number;
  /** `record_hash` of the newest. */
  head: string | null;
  /** What is wrong, a sentence each. */
  problems: string[];
  /** Those of them that are about the chain itself, and not about what it vouches for. */
  chain_problems: string[];
  /** Worktrees whose newest state record has no audit record yet, as after a crash. */
  audit_missing: string[];
}

/**
 * Checks the audit chain and everything it vouches for: numbers and hashes, the anchors of descriptors, the objects
 * that were created or deleted, and that each state record but a newest has its event. Takes no lock: what looks wrong
 * in a repository in use is looked at again, and only what is wrong twice is told.
 */
export async function verifyAudit(r: Repository): Promise<AuditVerification> {
  const first = await verifyOnce(r);
  if (first.valid) return first;
  const second = await verifyOnce(r);
  const problems = second.problems.filter((problem) => first.problems.includes(problem));
  const chain = second.chain_problems.filter((problem) => problems.includes(problem));
  return { ...second, problems, chain_problems: chain, valid: problems.length === 0 };
}

async function verifyOnce(r: Repository): Promise<AuditVerification> {
  const objects = await readRecordedObjects(r);
  const evidence = await readAuditEvidence(r);
  const missing: string[] = [];
  const problems = [
    ...evidence.problems,
    ...objects.problems,
    ...checkAnchors(objects, evidence),
    ...checkStates(objects, evidence, missing),
    ...checkConfigs(objects, evidence),
    ...(await checkRefsAndPins(r, objects, evidence)),
    ...checkTombstones(objects, evidence),
  ];
  const { count, head } = evidence;
  const chain = evidence.problems;
  return { valid: problems.length === 0, count, head, problems, chain_problems: chain, audit_missing: missing };
}

function checkAnchors({ anchors }: RecordedObjects, { hashes, lost }: AuditEvidence): string[] {
  return anchors
    .filter(({ anchor }) => !hashes.has(anchor) && !lost.has(anchor))
    .map(({ id, anchor }) => `snapshot ${id} was made after audit record ${anchor.slice(0, 12)}…, which is missing`);
}

/** The event of a newest state record may be missing, since its maker may have died before he wrote it. */
function checkStates({ states }: RecordedObjects, { events, lost }: AuditEvidence, missing: string[]): string[] {
  const problems: string[] = [];
  for (const { newest, events: older } of states.values()) {
    if (newest === undefined) continue;
    for (const { event, seq } of older) {
      if (events.has(event) || lost.has(event)) continue;
      problems.push(`state record ${seq} of worktree "${newest.worktree}" has no audit record`);
    }
    if (!events.has(newest.event_id) && !lost.has(newest.event_id)) missing.push(newest.worktree);
  }
  return problems;
}

/**
 * A configuration belongs to the worktree whose state log was begun by the same event. While an operation is pending it
 * may lie elsewhere or twice; once the log says that the worktree was removed it is gone.
 */
function checkConfigs({ configs, states }: RecordedObjects, { worktrees, events }: AuditEvidence): string[] {
  const problems: string[] = [];
  for (const { name, worktreeId, digest } of configs) {
    const state = states.get(worktreeId);
    const event = state?.createdBy;
    const recorded = event === undefined ? undefined : worktrees.get(event);
    if (recorded !== undefined && recorded.digest !== digest) {
      problems.push(`the configuration of worktree "${name}" is not the one that was recorded`);
    } else if (recorded === undefined && event !== undefined && events.has(event)) {
      problems.push(`no record vouches for the configuration of worktree "${name}"`);
    } else if (event === undefined && [...worktrees.values()].some((object) => object.digest === digest)) {
      problems.push(`the state log of worktree "${name}" is missing or cannot be read`);
    }
  }
  const byEvent = new Map([...states.values()].map((state) => [state.createdBy, state]));
  for (const [event, { name }] of worktrees) {
    const state = byEvent.get(event);
    const isHere = state === undefined ? false : configs.some(({ worktreeId }) => worktreeId === state.worktreeId);
    if (!isHere && !mayBeAway(state)) {
      problems.push(`worktree "${state?.newest?.worktree ?? name}" is missing, and no record says that it was removed`);
    }
  }
  return problems;
}

function mayBeAway(state: ReadStateLog | undefined): boolean {
  return state?.newest !== undefined && (state.newest.kind === 'remove' || state.newest.pending !== null);
}

/** One whose record is missing is what a crash leaves; doctor tells of it. */
async function checkRefsAndPins(
  r: Repository,
  objects: RecordedObjects,
  { refs, pins, lost }: AuditEvidence,
): Promise<string[]> {
  const problems: string[] = [];
  for (const [event, { name, digest }] of refs) {
    if (lost.has(event)) continue;
    const found = objects.refs.get(event);
    if (found === undefined && !(await isThere(`${r.layout.ref(name)}/${event}.json`))) {
      problems.push(`ref "${name}" is missing, and no record says that it was deleted`);
    } else if (found !== undefined && found !== digest) {
      problems.push(`ref "${name}" is not the one that was recorded`);
    }
  }
  for (const [event, { name: id, digest }] of pins) {
    if (lost.has(event)) continue;
    const found = objects.pins.get(id);
    if (found === undefined && !(await isThere(r.layout.pin(id)))) {
      problems.push(`pin ${id} is missing, and no record says that it was removed`);
    } else if (found !== undefined && found !== digest) {
      problems.push(`pin ${id} is not the one that was recorded`);
    }
  }
  return problems;
}

function checkTombstones({ tombstones }: RecordedObjects, { plans, condemnedPlan, lost }: AuditEvidence): string[] {
  const problems: string[] = [];
  for (const [planId, digest] of plans) {
    const lines = (tombstones.get(planId) ?? []).sort().map((line) => `${line}\n`);
    if (sha256(lines.join('')) !== digest) {
      problems.push(`the tombstones of plan ${planId} are not those that its end has recorded`);
    }
  }
  for (const planId of tombstones.keys()) {
    if (plans.has(planId) || planId === condemnedPlan || lost.has(planId)) continue;
    problems.push(`no record vouches for the tombstones of plan ${planId}`);
  }
  return problems;
}
