import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';

import { canonical, HandWrittenLog, pretty, sha256 } from './hand-written-log.ts';
import { repositoryAt, type Descriptor, type RepositoryFiles } from './repository-files.ts';

export interface LargeWorktree {
  name: string;
  snapshots: number;
  /** It was removed later: its snapshots stay, and nothing leads to them. */
  removed?: boolean;
  /** Tags of the snapshot with this index. Default: none. */
  tags?: (index: number) => string[];
}

export interface LargeRepositoryOptions {
  /** Default: `main` alone, with ten snapshots. */
  worktrees?: LargeWorktree[];
  /** At least so many audit records in all; renewals of locks fill up. Default: as many as it takes. */
  auditRecords?: number;
  /** When the last thing happened, ms since 1970. Default: 30 days ago. */
  endMs?: number;
  /** Between two snapshots. Default: an hour. */
  intervalMs?: number;
  /** Whether old records lie in segments, as after `clean_tmp`. Default: true. */
  folded?: boolean;
  /** Files of the snapshot with this index, counted through all worktrees. Default: one that all share, one of its own. */
  payload?: (index: number) => Record<string, string>;
}

export interface LargeRepository extends RepositoryFiles {
  /** Ids of the snapshots of each worktree, oldest first. */
  ids: Record<string, string[]>;
}

const ACTOR = 'build7:ada:4711:1771578700';
const SESSION = 'ada@build7';

/**
 * Writes a repository with any number of snapshots by hand: files as docs/specs/jvs.md describes them, no program asked.
 * All of it is old, and no lock is held.
 */
export function writeLargeRepository(root: string, options: LargeRepositoryOptions = {}): LargeRepository {
  const { worktrees = [{ name: 'main', snapshots: 10 }], intervalMs = 3_600_000 } = options;
  const total = worktrees.reduce((sum, { snapshots }) => sum + snapshots, 0);
  const repo = repositoryAt(root);
  const writer = new Writer(repo, {
    endMs: Date.now() - 30 * 86_400_000,
    folded: true,
    payload: (index) => ({ 'own.txt': `own ${index}\n`, 'shared.txt': 'shared\n' }),
    ...options,
    intervalMs,
    total,
  });
  const ids: Record<string, string[]> = {};
  for (const worktree of worktrees) ids[worktree.name] = writer.addWorktree(worktree);
  writer.finish();
  return { ...repo, ids };
}

type Settings = Required<Pick<LargeRepositoryOptions, 'endMs' | 'intervalMs' | 'folded' | 'payload'>> &
  Pick<LargeRepositoryOptions, 'auditRecords'> & { total: number };
type Fields = Record<string, unknown>;

class Writer {
  readonly #repo: RepositoryFiles;
  readonly #settings: Settings;
  readonly #repoId = randomUUID();
  readonly #audit: HandWrittenLog;
  #nowMs: number;
  #made = 0;

  constructor(repo: RepositoryFiles, settings: Settings) {
    this.#repo = repo;
    this.#settings = settings;
    this.#nowMs = settings.endMs - (settings.total + 1) * settings.intervalMs;
    const folders = 'worktrees state snapshots descriptors manifests refs audit gc/plans gc/tombstones gc/pins';
    for (const folder of `${folders} intents locks tmp`.split(' ')) {
      mkdirSync(`${repo.control}/${folder}`, { recursive: true });
    }
    writeFileSync(`${repo.control}/format_version`, '1\n');
    writeFileSync(`${repo.control}/repo_id`, `${this.#repoId}\n`);
    this.#audit = new HandWrittenLog(`${repo.control}/audit`, 'audit');
  }

  addWorktree({ name, snapshots, removed = false, tags = () => [] }: LargeWorktree): string[] {
    const worktreeId = randomUUID();
    const log = new HandWrittenLog(`${this.#repo.control}/state/${worktreeId}`, 'state');
    const state = {
      head_snapshot_id: null as string | null,
      lock: null as Fields | null,
      pending: null as Fields | null,
    };
    const record = (kind: string, operation: string, change: Partial<typeof state>, event: Fields = {}): void => {
      Object.assign(state, change);
      const eventId = randomUUID();
      const at = this.#time();
      const reason = null;
      log.append({
        actor: ACTOR,
        at,
        event_id: eventId,
        kind,
        reason,
        worktree: name,
        worktree_id: worktreeId,
        ...state,
      });
      this.#append({ event_id: eventId, operation, target: name, ...event });
    };
    const config = this.#writeConfig(name, worktreeId);
    const object_sha256 = sha256(config);
    if (name === 'main') {
      record('create', 'repo_init', {}, { session_id: null, details: { object_sha256, repo_id: this.#repoId } });
    } else {
      const pending = { op: 'create', op_id: randomUUID(), snapshot_id: null };
      record('create', 'worktree_create', { pending }, { details: { object_sha256, phase: 'begin' } });
      record('end', 'worktree_create', { pending: null }, { details: { outcome: 'done', phase: 'end' } });
    }
    const lock = this.#lock(log.count + 1);
    const owned = { fencing_token: lock['fencing_token'] };
    const terms = { lease_duration_ms: 300_000, purpose: null };
    record('acquire', 'lock_acquire', { lock }, { ...owned, details: terms });
    const ids: string[] = [];
    for (let index = 0; index < snapshots; index += 1) {
      this.#nowMs += this.#settings.intervalMs;
      const descriptor = this.#writeSnapshot({
        worktree_id: worktreeId,
        worktree_name: name,
        parent_snapshot_id: state.head_snapshot_id,
        tags: tags(index),
        fencing_token: log.count,
      });
      const { snapshot_id: id, descriptor_checksum: checksum } = descriptor;
      const details = { descriptor_checksum: checksum.value, worktree: name };
      record('head', 'snapshot', { head_snapshot_id: id }, { ...owned, target: id, snapshot_id: id, details });
      this.#renew(name, owned);
      ids.push(id);
    }
    record('release', 'lock_release', { lock: null }, owned);
    if (removed) {
      const pending = { op: 'remove', op_id: randomUUID(), reason: null };
      record('begin', 'worktree_remove', { pending }, { details: { phase: 'begin' } });
      record('remove', 'worktree_remove', { pending: null }, { details: { outcome: 'done', phase: 'end' } });
    } else {
      const last = this.#settings.payload(this.#made - 1);
      this.#writeConfigFile(name, config);
      const path = name === 'main' ? this.#repo.main : `${this.#repo.root}/worktrees/${name}`;
      writeFiles(path, snapshots === 0 ? {} : last);
    }
    log.write(this.#settings.folded);
    return ids;
  }

  finish(): void {
    this.#audit.write(this.#settings.folded);
  }

  #time(): string {
    return new Date(this.#nowMs).toISOString();
  }

  #append(event: Fields): void {
    const defaults = { fencing_token: null, reason: null, session_id: SESSION, snapshot_id: null };
    const timestamp = this.#time();
    this.#audit.append({ actor: ACTOR, condemned_plan: null, details: {}, ...defaults, timestamp, ...event });
  }

  /** As many renewals as bring the chain to its size by the end. */
  #renew(worktree: string, owned: Fields): void {
    const { auditRecords = 0, total } = this.#settings;
    const due = Math.ceil((auditRecords * this.#made) / total);
    while (this.#audit.count < due) {
      this.#append({ event_id: randomUUID(), operation: 'lock_renew', target: worktree, ...owned });
    }
  }

  #writeConfig(name: string, worktreeId: string): string {
    const [isolation, created_at] = ['exclusive', this.#time()];
    const config = { worktree_id: worktreeId, isolation, created_at, base_snapshot_id: null, label: null };
    if (name === 'main') this.#writeConfigFile(name, pretty(config));
    return pretty(config);
  }

  #writeConfigFile(name: string, text: string): void {
    mkdirSync(`${this.#repo.control}/worktrees/${name}`, { recursive: true });
    writeFileSync(`${this.#repo.control}/worktrees/${name}/config.json`, text);
  }

  #lock(seq: number): Fields {
    return {
      acquire_seq: 1,
      boot_id: '11111111-2222-4333-8444-555555555555',
      created_at: this.#time(),
      fencing_token: seq,
      holder_id: ACTOR,
      holder_nonce_hash: sha256('jvs-test-nonce-0001'),
      lease_duration_ms: 300_000,
      lock_id: randomUUID(),
      max_clock_skew_ms: 2000,
      purpose: null,
      renew_interval_ms: 10_000,
      session_id: SESSION,
      steal_grace_ms: 1000,
    };
  }

  #writeSnapshot(
    facts: Pick<Descriptor, 'worktree_id' | 'worktree_name' | 'parent_snapshot_id' | 'tags' | 'fencing_token'>,
  ): Descriptor {
    const { control } = this.#repo;
    const files = this.#settings.payload(this.#made);
    const id = `${String(this.#nowMs).padStart(13, '0')}-${sha256(`snapshot ${this.#made}`).slice(0, 8)}`;
    this.#made += 1;
    const manifest = manifestOf(files);
    const bytes = Object.values(files).reduce((sum, content) => sum + Buffer.byteLength(content), 0);
    const { worktree_id, worktree_name, parent_snapshot_id, tags, fencing_token } = facts;
    const body = {
      snapshot_id: id,
      worktree_id,
      worktree_name,
      parent_snapshot_id,
      created_at: this.#time(),
      created_by: ACTOR,
      note: `snapshot ${this.#made}`,
      tags,
      engine: 'copy',
      degradations: [],
      consistency_level: 'quiesced',
      fencing_token,
      audit_anchor: this.#audit.tip,
      payload_root_hash: { algo: 'sha256', value: sha256(manifest) },
      payload_stats: { files: Object.keys(files).length, dirs: 0, symlinks: 0, bytes },
    };
    const descriptor_checksum = { algo: 'sha256', value: sha256(canonical(body)) };
    const descriptor = { ...body, descriptor_checksum, integrity_state: 'verified' };
    const { created_at, engine, payload_root_hash } = body;
    writeFiles(`${control}/snapshots/${id}`, {
      ...files,
      '.READY': pretty({ snapshot_id: id, created_at, engine, descriptor_checksum, payload_root_hash }),
    });
    writeFileSync(`${control}/manifests/${id}.manifest`, manifest);
    writeFileSync(`${control}/descriptors/${id}.json`, pretty(descriptor));
    return descriptor;
  }
}

function writeFiles(root: string, files: Record<string, string>): void {
  mkdirSync(root, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(`${root}/${name}`, content, { mode: 0o644 });
}

function manifestOf(files: Record<string, string>): string {
  return Object.entries(files)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, content]) => `file 0644 ${Buffer.byteLength(content)} ${sha256(content)} ${name}\n`)
    .join('');
}
