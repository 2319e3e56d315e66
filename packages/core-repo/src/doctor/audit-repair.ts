import { randomUUID } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { canonicalDigest, canonicalJson, type JsonObject } from '@jvs/platform/canonical-json';
import { timestamp } from '@jvs/platform/clock';
import { isThere, syncDirectory, syncTree } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import type { LogRecord } from '@jvs/platform/exclusive-log';
import { failpoint } from '@jvs/platform/failpoint';
import { archivedChains } from '../audit/archives.ts';
import { callersEvent } from '../audit/audit-log.ts';
import { parseAuditRecord, type AuditEvent, type AuditRecord } from '../audit/audit-record.ts';
import { salvageRecords } from '../audit/salvage.ts';
import type { Repository } from '../repository.ts';
import { noteRecord, readAuditEvidence, startEvidence, textsIn, type AuditEvidence } from '../verify/audit-evidence.ts';
import { readRecordedObjects, type RecordedObjects } from '../verify/recorded-objects.ts';
import type { Repair } from './finding.ts';

const BUCKET = 256;
/** Records may be 64 KiB; a hash with its quotes takes 67 bytes. */
const LOST_A_RECORD = 500;

/**
 * `audit_repair`: puts the broken chain aside, whole, and starts a new one with every record that proves itself. The
 * records at its end name the archive and what is not there any more: nothing is invented. The old chain goes first, so
 * that nobody appends to what is being read; who tries meanwhile fails, and what a crash leaves is finished by repairing
 * again.
 */
export async function repairAudit(r: Repository): Promise<Repair[]> {
  if ((await readAuditEvidence(r)).problems.length === 0) return [];
  await putAside(r);
  const { sources, survivors } = await salvageChains(await archivedChains(r));
  const objects = await readRecordedObjects(r);
  const evidence = await startEvidence(r);
  for (const record of survivors) noteRecord(evidence, record);
  const lost = findLost(objects, evidence);

  const chain = join(r.layout.tmp, randomUUID());
  await mkdir(chain);
  await writeChain(
    chain,
    chained([...survivors, ...repairRecords(r, survivors.at(-1), sources, survivors.length, lost)]),
  );
  await keepPeers(sources, chain);
  await syncTree(chain);
  failpoint('audit-repair:chain');
  // An opening command may have made an empty directory in the meantime; it gives way to a rename.
  await rename(chain, r.layout.audit);
  await syncDirectory(r.layout.control);
  failpoint('audit-repair:place');
  const names = sources.map((path) => basename(path)).join(', ');
  return [
    {
      repair: 'audit_repair',
      description: `Kept ${survivors.length} records of the audit log as a new chain; ${lost.length} things that it should vouch for are on record as lost; the old chain is in .jvs/${names}.`,
    },
  ];
}

async function putAside(r: Repository): Promise<void> {
  const archive = join(r.layout.control, `audit.broken-${timestamp(r.clock.now()).replace(/[:.]/g, '')}`);
  try {
    await rename(r.layout.audit, archive);
  } catch (error) {
    // An earlier repair got that far and no further.
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  await syncDirectory(r.layout.control);
  failpoint('audit-repair:archive');
}

/** The records of all archives but those whose records an earlier repair has taken over. */
async function salvageChains(archives: readonly string[]): Promise<{ sources: string[]; survivors: AuditRecord[] }> {
  const chains = new Map<string, AuditRecord[]>();
  const takenOver = new Set<string>();
  for (const archive of archives) {
    const records = (await salvageRecords(archive)).flatMap(auditRecordOf);
    chains.set(archive, records);
    for (const { details } of records) {
      if (details['repair'] === 'audit_repair') for (const name of textsIn(details['archives'])) takenOver.add(name);
    }
  }
  const sources = archives.filter((archive) => !takenOver.has(basename(archive)));
  return { sources, survivors: sources.flatMap((archive) => chains.get(archive) ?? []) };
}

/** None for what hashes to what it says and is no audit record all the same. */
function auditRecordOf(record: LogRecord): AuditRecord[] {
  try {
    return [parseAuditRecord(record)];
  } catch (error) {
    if (!hasCode(error, 'E_AUDIT_CHAIN_BROKEN')) throw error;
    return [];
  }
}

/** What the surviving records fail to vouch for, or vouch for in vain. The newest state of a worktree can still be recorded. */
function findLost(objects: RecordedObjects, evidence: AuditEvidence): string[] {
  const { events, hashes, plans, condemnedPlan, refs, pins } = evidence;
  const older = [...objects.states.values()].flatMap((state) => state.events.map(({ event }) => event));
  const lost = [
    ...older.filter((event) => !events.has(event)),
    ...objects.anchors.map(({ anchor }) => anchor).filter((anchor) => !hashes.has(anchor)),
    ...[...objects.tombstones.keys()].filter((plan) => !plans.has(plan) && plan !== condemnedPlan),
    ...[...refs.keys()].filter((event) => !objects.refs.has(event)),
    ...[...pins].filter(([, { name }]) => !objects.pins.has(name)).map(([event]) => event),
  ];
  return [...new Set(lost)].filter((id) => !evidence.lost.has(id));
}

type Link = AuditEvent & { timestamp: string; condemned_plan: string | null };

/** The records of the repair; more than one where more is lost than one has room for. */
function repairRecords(
  r: Repository,
  last: AuditRecord | undefined,
  sources: readonly string[],
  kept: number,
  lost: readonly string[],
): Link[] {
  const records: Link[] = [];
  const details = { repair: 'audit_repair', archives: sources.map((path) => basename(path)), kept, repo_id: r.id };
  for (let at = 0; at === 0 || at < lost.length; at += LOST_A_RECORD) {
    const event = callersEvent(r, 'repair', {
      target: 'audit',
      details: { ...details, lost: lost.slice(at, at + LOST_A_RECORD) },
    });
    records.push({ ...event, timestamp: timestamp(r.clock.now()), condemned_plan: last?.condemned_plan ?? null });
  }
  return records;
}

function* chained(records: Iterable<Link>): Generator<string> {
  let seq = 0;
  let previous = '';
  for (const record of records) {
    seq += 1;
    const body: JsonObject = { ...record, seq, prev_hash: previous };
    previous = canonicalDigest(body, 'record_hash');
    yield `${canonicalJson({ ...body, record_hash: previous })}\n`;
  }
}

/** Full buckets as segments, the rest as slots. */
async function writeChain(directory: string, lines: Iterable<string>): Promise<void> {
  let first = 1;
  let bucket: string[] = [];
  for (const line of lines) {
    bucket.push(line);
    if (bucket.length < BUCKET) continue;
    const name = `audit-${digits(first)}-${digits(first + BUCKET - 1)}.jsonl`;
    await writeFile(join(directory, name), bucket.join(''));
    first += BUCKET;
    bucket = [];
  }
  for (const [index, line] of bucket.entries())
    await writeFile(join(directory, `${digits(first + index)}.jsonl`), line);
}

function digits(seq: number): string {
  return String(seq).padStart(12, '0');
}

/** Chains of other replicas are not broken by the damage to ours. */
async function keepPeers(sources: readonly string[], chain: string): Promise<void> {
  for (const source of sources) {
    const peers = join(source, 'peers');
    if ((await isThere(peers)) && !(await isThere(join(chain, 'peers')))) await rename(peers, join(chain, 'peers'));
  }
}
