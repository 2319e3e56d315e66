import { readFileSync } from 'node:fs';

import { PAYLOAD_VECTORS, test, writePayload, type Descriptor, type PayloadName } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { hashWithout, pretty, sha256 } from './canonical.ts';
import {
  AUDIT_RECORDS,
  CONFIG,
  CONFIG_SHA256,
  D1,
  D2,
  M1_MANIFEST,
  M2_MANIFEST,
  M3_MANIFEST,
  STATE_RECORDS,
  VECTOR_REPO_ID,
} from './vectors.ts';
import { writeVectorRepository } from './vector-repository.ts';

describe('the vectors are typed in correctly', () => {
  test('a config.json of 177 bytes', () => {
    expect(pretty(CONFIG)).toHaveLength(177);
    expect(sha256(pretty(CONFIG))).toBe(CONFIG_SHA256);
  });

  test('descriptors D1 and D2 carry the hash of their canonical bytes', () => {
    for (const descriptor of [D1, D2]) {
      const checksum = hashWithout(descriptor, 'descriptor_checksum', 'integrity_state');
      expect(checksum).toBe(descriptor.descriptor_checksum.value);
    }
  });

  test('log records carry the hash of their canonical bytes', () => {
    for (const record of [...STATE_RECORDS, ...AUDIT_RECORDS]) {
      expect(hashWithout(record, 'record_hash')).toBe(record.record_hash);
    }
  });

  test('the lock holds the hash of its nonce', () => {
    expect(STATE_RECORDS[1]?.lock?.holder_nonce_hash).toBe(sha256('jvs-test-nonce-0001'));
  });

  test.for([
    ['M1', M1_MANIFEST],
    ['M2', M2_MANIFEST],
    ['M3', M3_MANIFEST],
  ] as const)('manifest %s', ([name, manifest]) => {
    expect(manifest).toHaveLength(PAYLOAD_VECTORS[name].manifestBytes);
    expect(sha256(manifest)).toBe(PAYLOAD_VECTORS[name].rootHash);
  });
});

describe('a snapshot of each payload has the payload_root_hash of the table', () => {
  const manifests = { M0: '', M1: M1_MANIFEST, M2: M2_MANIFEST, M3: M3_MANIFEST };

  test.for(Object.keys(PAYLOAD_VECTORS) as PayloadName[])('%s', async (name, { repo, ada }) => {
    writePayload(repo.main, name);
    await ada.ok(['lock', 'acquire']);

    const made = await ada.json<Descriptor>(['snapshot']);

    expect(made.payload_root_hash).toEqual({ algo: 'sha256', value: PAYLOAD_VECTORS[name].rootHash });
    expect(made.payload_stats).toEqual(PAYLOAD_VECTORS[name].stats);
    const stored = readFileSync(`${repo.control}/manifests/${made.snapshot_id}.manifest`);
    expect(stored.toString('latin1')).toBe(manifests[name].toString('latin1'));
  });
});

describe('a repository that is written by hand from the vectors', () => {
  test('is intact', async ({ dir, ada }) => {
    const repo = writeVectorRepository(`${dir}/vectors`);
    const reader = ada.at(repo.root);

    expect(await reader.ok(['verify', '--all'])).toContain(`${D1.snapshot_id}  OK`);
    expect(await reader.ok(['verify', D2.snapshot_id])).toContain(`${D2.snapshot_id}  OK`);
    expect(await reader.ok(['audit', 'verify'])).toContain('Audit chain OK: 3 records');
    expect(await reader.json(['audit', 'verify'])).toMatchObject({ valid: true, count: 3 });
  });

  test('is what its files say', async ({ dir, ada }) => {
    const repo = writeVectorRepository(`${dir}/vectors`);
    const reader = ada.at(repo.main);

    expect(await reader.json(['info'])).toMatchObject({ repo_id: VECTOR_REPO_ID, format_version: 1 });
    expect(await reader.json(['history'])).toEqual([{ ...D1, risk_labels: [] }]);
    expect(await reader.json(['lock', 'status'])).toMatchObject({
      state: 'held',
      mine: false,
      lock: { session_id: 'ada@build7', fencing_token: 2 },
    });
  });

  test('restores names that are not text', async ({ dir, ada }) => {
    const repo = writeVectorRepository(`${dir}/vectors`);
    const user = ada.at(repo.root);

    await user.ok(['restore', D2.snapshot_id, '--name', 'odd-names']);
    const restored = user.at(`${repo.root}/worktrees/odd-names`);
    await restored.ok(['lock', 'acquire']);
    const again = await restored.json<Descriptor>(['snapshot']);

    expect(again.payload_root_hash.value).toBe(PAYLOAD_VECTORS.M3.rootHash);
    expect(again.parent_snapshot_id).toBe(D2.snapshot_id);
  });

  test('is brought back to work by doctor, since nothing but runtime state is missing', async ({ dir, ada }) => {
    const repo = writeVectorRepository(`${dir}/vectors`);
    const user = ada.at(repo.main);

    await user.ok(['doctor', '--repair-runtime']);

    expect(await user.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
    await user.ok(['lock', 'release', '--force', '--reason', 'moved here']);
    await user.ok(['lock', 'acquire']);
    const next = await user.json<Descriptor>(['snapshot', 'after the move']);
    expect(next.parent_snapshot_id).toBe(D1.snapshot_id);
  });
});
