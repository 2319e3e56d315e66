import { readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';

/** A repository on disk as a stranger with an editor sees it. */
export interface RepositoryFiles {
  root: string;
  /** `<root>/.jvs` */
  control: string;
  /** The payload of worktree main. */
  main: string;
}

/** What tests read of a log record; see docs/specs/jvs.md for all of it. */
export interface StateRecord {
  seq: number;
  kind: string;
  actor: string;
  at: string;
  event_id: string;
  head_snapshot_id: string | null;
  lock: Lock | null;
  pending: { op: string; op_id: string } | null;
  prev_hash: string;
  record_hash: string;
  reason: string | null;
  worktree: string;
  worktree_id: string;
}

export interface Lock {
  lock_id: string;
  holder_id: string;
  session_id: string;
  fencing_token: number;
  acquire_seq: number;
  purpose: string | null;
  lease_duration_ms: number;
  renew_interval_ms: number;
  max_clock_skew_ms: number;
  steal_grace_ms: number;
}

export interface AuditRecord {
  seq: number;
  event_id: string;
  operation: string;
  actor: string;
  timestamp: string;
  target: string | null;
  snapshot_id: string | null;
  condemned_plan: string | null;
  fencing_token: number | null;
  session_id: string | null;
  reason: string | null;
  details: Record<string, unknown>;
  prev_hash: string;
  record_hash: string;
}

export interface Descriptor {
  snapshot_id: string;
  worktree_id: string;
  worktree_name: string;
  parent_snapshot_id: string | null;
  created_at: string;
  created_by: string;
  note: string;
  tags: string[];
  engine: string;
  degradations: string[];
  consistency_level: string;
  fencing_token: number;
  audit_anchor: string;
  payload_root_hash: { algo: string; value: string };
  payload_stats: { files: number; dirs: number; symlinks: number; bytes: number };
  descriptor_checksum: { algo: string; value: string };
  integrity_state: string;
}

export function repositoryAt(root: string): RepositoryFiles {
  return { root, control: `${root}/.jvs`, main: `${root}/main` };
}

export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

/** The id in `worktrees/<name>/config.json`. */
export function worktreeId(repo: RepositoryFiles, worktree = 'main'): string {
  return readJson<{ worktree_id: string }>(`${repo.control}/worktrees/${worktree}/config.json`).worktree_id;
}

export function stateLog(repo: RepositoryFiles, worktree = 'main'): string {
  return `${repo.control}/state/${worktreeId(repo, worktree)}`;
}

export function auditLog(repo: RepositoryFiles): string {
  return `${repo.control}/audit`;
}

/** The path of record `seq` of a log. */
export function slot(log: string, seq: number): string {
  return `${log}/${String(seq).padStart(12, '0')}.jsonl`;
}

/** All slots of a log in order, as they are. */
export function readLog<T>(log: string): T[] {
  const names = readdirSync(log).filter((name) => /^\d{12}\.jsonl$/.test(name));
  return names.toSorted().map((name) => readJson<T>(`${log}/${name}`));
}

export function stateRecords(repo: RepositoryFiles, worktree = 'main'): StateRecord[] {
  return readLog<StateRecord>(stateLog(repo, worktree));
}

export function auditRecords(repo: RepositoryFiles): AuditRecord[] {
  return readLog<AuditRecord>(auditLog(repo));
}

/** Makes the holder look silent for `ms` more: moves the mtime of the newest state record back. */
export function setHeartbeatBack(repo: RepositoryFiles, ms = 3_600_000, worktree = 'main'): void {
  const log = stateLog(repo, worktree);
  const newest = readdirSync(log)
    .filter((name) => /^\d{12}\.jsonl$/.test(name))
    .toSorted()
    .at(-1);
  if (newest === undefined) throw new Error(`No records in ${log}`);
  const heartbeat = new Date(statSync(`${log}/${newest}`).mtimeMs - ms);
  utimesSync(`${log}/${newest}`, heartbeat, heartbeat);
}
