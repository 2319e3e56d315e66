import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expectThat } from './expectations.ts';

/** A repository on disk, read by hand: what a stranger with an editor sees. */
export interface RepositoryFiles {
  root: string;
  /** `<root>/.jvs` */
  control: string;
  /** The payload of worktree main. */
  main: string;
}

export interface LogRecord {
  seq: number;
  event_id: string;
  prev_hash: string;
  record_hash: string;
}

export interface StateRecord extends LogRecord {
  kind: string;
  actor: string;
  at: string;
  head_snapshot_id: string | null;
  lock: { lock_id: string; session_id: string; fencing_token: number; acquire_seq: number } | null;
  pending: object | null;
  worktree: string;
  worktree_id: string;
}

export interface AuditRecord extends LogRecord {
  timestamp: string;
  operation: string;
  target: string | null;
  snapshot_id: string | null;
  condemned_plan: string | null;
  details: Record<string, unknown>;
}

export interface Descriptor {
  snapshot_id: string;
  worktree_id: string;
  parent_snapshot_id: string | null;
  created_at: string;
  note: string;
  engine: string;
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

export function readJson<Document>(path: string): Document {
  return JSON.parse(readFileSync(path, 'utf8')) as Document;
}

/** The names in a directory, sorted; none where it is missing. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch {
    return [];
  }
}

export function descriptorOf({ control }: RepositoryFiles, id: string): Descriptor {
  return readJson<Descriptor>(`${control}/descriptors/${id}.json`);
}

export function stateLog({ control }: RepositoryFiles, worktree = 'main'): string {
  const config = readJson<{ worktree_id: string }>(`${control}/worktrees/${worktree}/config.json`);
  return `${control}/state/${config.worktree_id}`;
}

/** The path of record `seq` of a log. */
export function slot(log: string, seq: number): string {
  return `${log}/${String(seq).padStart(12, '0')}.jsonl`;
}

/** The records of a log that has not been folded, in order. */
export function readLog<Kind extends LogRecord>(log: string): Kind[] {
  const names = namesIn(log).filter((name) => /^\d{12}\.jsonl$/.test(name));
  return names.map((name) => readJson<Kind>(`${log}/${name}`));
}

export function stateRecords(repo: RepositoryFiles, worktree = 'main'): StateRecord[] {
  return readLog<StateRecord>(stateLog(repo, worktree));
}

export function auditRecords({ control }: RepositoryFiles): AuditRecord[] {
  return readLog<AuditRecord>(`${control}/audit`);
}

/** The newest state record of a worktree. */
export function tipOf(repo: RepositoryFiles, worktree = 'main'): StateRecord {
  const tip = stateRecords(repo, worktree).at(-1);
  expectThat(tip !== undefined, `The state log of worktree ${worktree} is empty`);
  return tip;
}

/** What publishing leaves: the ids by kind of file, and whatever else lies there. */
export function publishedFiles({ control }: RepositoryFiles): Record<string, string[]> {
  const folders = ['snapshots', 'descriptors', 'manifests', 'intents', 'tmp'];
  return Object.fromEntries(folders.map((folder) => [folder, namesIn(`${control}/${folder}`)]));
}

/** Every entry below `root` with type, mode and content, by path: two equal ones are two equal trees. */
export function treeAt(root: string): Record<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: 'latin1' }).toSorted();
  return Object.fromEntries(names.map((name) => [name, entryAt(Buffer.from(`${root}/${name}`, 'latin1'))]));
}

function entryAt(path: Buffer): string {
  const stat = lstatSync(path);
  const mode = (stat.mode & 0o7777).toString(8);
  if (stat.isSymbolicLink()) return `symlink ${readlinkSync(path, 'latin1')}`;
  if (!stat.isFile()) return `${stat.isDirectory() ? 'dir' : 'other'} ${mode}`;
  return `file ${mode} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
}
