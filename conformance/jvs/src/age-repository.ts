import { readdirSync, writeFileSync } from 'node:fs';
import { hashWithout, pretty, recordLine } from './canonical.ts';
import type { CheckContext } from './check-context.ts';
import {
  auditRecords,
  descriptorOf,
  namesIn,
  readJson,
  readLog,
  slot,
  type Descriptor,
  type LogRecord,
  type RepositoryFiles,
  type StateRecord,
} from './repository-files.ts';

const DAY_MS = 24 * 3600 * 1000;

/**
 * Makes a repository older, because what happened during the last days is protected from collection: moves the times of
 * all records and descriptors back, and chains and checksums follow. Ids and everything else stay.
 */
export function ageRepository(c: CheckContext, repo: RepositoryFiles, days = 30): void {
  c.remark(`move the times of all records and descriptors ${days} days back, and make chains and checksums fit`);
  const older = (time: string): string => new Date(Date.parse(time) - days * DAY_MS).toISOString();

  const waiting = new Set(namesIn(`${repo.control}/descriptors`).map((name) => name.replace(/\.json$/, '')));
  const renamed = new Map<string, string>();
  rewriteLog(`${repo.control}/audit`, auditRecords(repo), renamed, (record) => {
    const details = { ...record.details };
    if (record.operation === 'snapshot' && record.snapshot_id !== null && waiting.delete(record.snapshot_id))
      details['descriptor_checksum'] = ageDescriptor(repo, record.snapshot_id, renamed, older);
    return { ...record, timestamp: older(record.timestamp), details };
  });
  for (const id of waiting) ageDescriptor(repo, id, renamed, older);

  for (const worktree of readdirSync(`${repo.control}/state`)) {
    const log = `${repo.control}/state/${worktree}`;
    rewriteLog(log, readLog<StateRecord>(log), new Map(), (record) => ({ ...record, at: older(record.at) }));
  }
}

/** Writes a log anew with changed records; `renamed` learns which hash became which. */
function rewriteLog<Kind extends LogRecord>(
  log: string,
  records: readonly Kind[],
  renamed: Map<string, string>,
  change: (record: Kind) => Kind,
): void {
  let previous = '';
  for (const record of records) {
    const changed = { ...change(record), prev_hash: previous };
    writeFileSync(slot(log, record.seq), recordLine(changed));
    previous = hashWithout(changed, 'record_hash');
    renamed.set(record.record_hash, previous);
  }
}

/** Returns the new checksum. */
function ageDescriptor(
  repo: RepositoryFiles,
  id: string,
  renamed: ReadonlyMap<string, string>,
  older: (time: string) => string,
): string {
  const before = descriptorOf(repo, id);
  const { audit_anchor: anchor, created_at: time } = before;
  const changed: Descriptor = { ...before, created_at: older(time), audit_anchor: renamed.get(anchor) ?? anchor };
  const value = hashWithout(changed, 'descriptor_checksum', 'integrity_state');
  const checksum = { algo: 'sha256', value };
  writeFileSync(`${repo.control}/descriptors/${id}.json`, pretty({ ...changed, descriptor_checksum: checksum }));
  const marker = `${repo.control}/snapshots/${id}/.READY`;
  const ready = readJson<object>(marker);
  writeFileSync(marker, pretty({ ...ready, created_at: changed.created_at, descriptor_checksum: checksum }));
  return value;
}
