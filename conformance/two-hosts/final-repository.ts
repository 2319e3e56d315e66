import { existsSync, readdirSync } from 'node:fs';

import { readJson, readLog, repositoryAt, type AuditRecord, type Descriptor, type StateRecord } from '@jvs/testkit';

/** What is left in the end, read off the files. */
export interface FinalRepository {
  /** The state log of every worktree that ever was. */
  readonly states: readonly (readonly StateRecord[])[];
  readonly audit: readonly AuditRecord[];
  readonly descriptors: ReadonlyMap<string, Descriptor>;
  /** Descriptors of the collected ones. */
  readonly tombstones: ReadonlyMap<string, Descriptor>;
  /** Snapshots whose every byte was read and found right. */
  readonly verified: ReadonlySet<string>;
}

/** The part of `jvs verify --all --json` that is looked at. */
export interface Verification {
  readonly snapshots: readonly { snapshot_id: string; payload_hash_valid: boolean | null; tamper_detected: boolean }[];
}

/** Reads a copy of a repository. Its logs are expected as slots: nobody folds in a few minutes. */
export function readFinalRepository(root: string, { snapshots }: Verification): FinalRepository {
  const { control } = repositoryAt(root);
  const sound = snapshots.filter((found) => found.payload_hash_valid === true && !found.tamper_detected);
  return {
    states: readdirSync(`${control}/state`).map((id) => readLog<StateRecord>(`${control}/state/${id}`)),
    audit: readLog<AuditRecord>(`${control}/audit`),
    descriptors: byId(`${control}/descriptors`, (path) => readJson<Descriptor>(path)),
    tombstones: byId(`${control}/gc/tombstones`, (path) => readJson<{ descriptor: Descriptor }>(path).descriptor),
    verified: new Set(sound.map(({ snapshot_id }) => snapshot_id)),
  };
}

function byId(folder: string, read: (path: string) => Descriptor): Map<string, Descriptor> {
  if (!existsSync(folder)) return new Map();
  const descriptors = readdirSync(folder).map((name) => read(`${folder}/${name}`));
  return new Map(descriptors.map((descriptor) => [descriptor.snapshot_id, descriptor]));
}
