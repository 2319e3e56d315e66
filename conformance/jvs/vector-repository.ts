import { mkdirSync, writeFileSync } from 'node:fs';

import { repositoryAt, slot, writePayload, type PayloadName, type RepositoryFiles } from '@jvs/testkit';

import { canonical, pretty } from './canonical.ts';
import { AUDIT_RECORDS, CONFIG, D1, D2, M1_MANIFEST, M3_MANIFEST, STATE_RECORDS, VECTOR_REPO_ID } from './vectors.ts';

/**
 * Writes, with an editor's means, the repository that the test vectors describe: D1 is the head of main, D2 a snapshot
 * that refers to it. What is runtime state or rebuildable is missing, as after a migration.
 */
export function writeVectorRepository(root: string): RepositoryFiles {
  const repo = repositoryAt(root);
  const state = `${repo.control}/state/${CONFIG.worktree_id}`;
  const audit = `${repo.control}/audit`;
  for (const folder of [repo.main, state, audit, `${repo.control}/worktrees/main`]) {
    mkdirSync(folder, { recursive: true });
  }
  writeFileSync(`${repo.control}/format_version`, '1\n');
  writeFileSync(`${repo.control}/repo_id`, `${VECTOR_REPO_ID}\n`);
  writeFileSync(`${repo.control}/worktrees/main/config.json`, pretty(CONFIG));
  for (const record of STATE_RECORDS) writeFileSync(slot(state, record.seq), `${canonical(record)}\n`);
  for (const record of AUDIT_RECORDS) writeFileSync(slot(audit, record.seq), `${canonical(record)}\n`);
  writePayload(repo.main, 'M1');
  writeSnapshot(repo, D1, 'M1', M1_MANIFEST);
  writeSnapshot(repo, D2, 'M3', M3_MANIFEST);
  return repo;
}

function writeSnapshot(
  repo: RepositoryFiles,
  descriptor: typeof D1,
  payload: PayloadName,
  manifest: string | Uint8Array,
): void {
  const { snapshot_id, created_at, engine, descriptor_checksum, payload_root_hash } = descriptor;
  const tree = `${repo.control}/snapshots/${snapshot_id}`;
  const ready = { snapshot_id, created_at, engine, descriptor_checksum, payload_root_hash };
  for (const folder of [tree, `${repo.control}/descriptors`, `${repo.control}/manifests`]) {
    mkdirSync(folder, { recursive: true });
  }
  writePayload(tree, payload);
  writeFileSync(`${tree}/.READY`, pretty(ready));
  writeFileSync(`${repo.control}/manifests/${snapshot_id}.manifest`, manifest);
  writeFileSync(`${repo.control}/descriptors/${snapshot_id}.json`, pretty(descriptor));
}
