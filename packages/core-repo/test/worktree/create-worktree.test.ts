import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { createWorktree } from '../../src/worktree/create-worktree.ts';
import { sha256 } from '../fixtures/canonical.ts';
import { D1, D2 } from '../fixtures/vectors.ts';
import { auditRecords, stateRecords, test, writeIntent } from '../fixtures/world.ts';

describe('a new worktree', () => {
  test('has its own identity, the snapshot as head, and its payload', async ({ vector }) => {
    const { worktree } = await createWorktree(vector, 'second', { from: D2.snapshot_id, label: 'spare' });

    expect(worktree.config).toMatchObject({ isolation: 'exclusive', base_snapshot_id: D2.snapshot_id, label: 'spare' });
    expect(worktree.path).toBe(`${vector.root}/worktrees/second`);
    expect(readFileSync(`${worktree.path}/sub/.READY`, 'utf8')).toBe('x');
    const [first, second] = stateRecords(vector, worktree.id);
    expect(first).toMatchObject({
      kind: 'create',
      head_snapshot_id: D2.snapshot_id,
      pending: { op: 'create', snapshot_id: D2.snapshot_id },
      lock: null,
      worktree: 'second',
    });
    expect(second).toMatchObject({ kind: 'end', head_snapshot_id: D2.snapshot_id, pending: null });
    const begun = auditRecords(vector).find(({ event_id }) => event_id === first?.event_id);
    expect(begun).toMatchObject({
      operation: 'worktree_create',
      target: 'second',
      snapshot_id: D2.snapshot_id,
      details: { phase: 'begin' },
    });
    expect(begun?.details['object_sha256']).toBe(sha256(readFileSync(vector.layout.worktreeConfig('second'))));
  });

  test('without a snapshot is empty', async ({ vector }) => {
    const { worktree } = await createWorktree(vector, 'second');

    expect(readdirSync(worktree.path)).toEqual([]);
    expect(worktree.config).toMatchObject({ base_snapshot_id: null, label: null });
  });

  test('has a well-formed label', async ({ vector }) => {
    const { worktree } = await createWorktree(vector, 'second', { label: 'a\ud800' });

    expect(worktree.config.label).toBe('a\ufffd');
  });

  test('is made once of many at once', async ({ vector }) => {
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, async () => createWorktree(vector, 'second', { from: D1.snapshot_id })),
    );

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'E_EXISTS' });
    expect(readdirSync(vector.layout.states)).toHaveLength(2);
    expect(readdirSync(vector.layout.tmp)).toEqual([]);
  });

  test.for([
    ['main', 'E_EXISTS'],
    ['MAIN', 'E_EXISTS'],
    ['Taken', 'E_EXISTS'],
    ['occupied', 'E_EXISTS'],
    ['../up', 'E_NAME_INVALID'],
    ['HEAD', 'E_NAME_INVALID'],
  ] as const)('is not made under the name %s: %s', async ([name, code], { vector }) => {
    await createWorktree(vector, 'taken');
    mkdirSync(`${vector.root}/worktrees/Occupied`);

    await expect(createWorktree(vector, name)).rejects.toMatchObject({ code });
    expect(readdirSync(vector.layout.worktrees)).toEqual(['main', 'taken']);
  });

  test.for([
    ['is not committed', 'E_PARTIAL_SNAPSHOT', (r) => void writeIntent(r, D1.snapshot_id, 9)],
    [
      'is damaged, and so named',
      'E_PAYLOAD_HASH_MISMATCH',
      (r) => writeFileSync(`${r.layout.snapshot(D1.snapshot_id)}/hello.txt`, 'jello\n'),
    ],
    [
      'has a file too many',
      'E_PAYLOAD_HASH_MISMATCH',
      (r) => writeFileSync(`${r.layout.snapshot(D1.snapshot_id)}/more`, ''),
    ],
    [
      'has a damaged descriptor',
      'E_DESCRIPTOR_CORRUPT',
      (r) => writeFileSync(r.layout.descriptor(D1.snapshot_id), '{}'),
    ],
    ['has a damaged manifest', 'E_PAYLOAD_HASH_MISMATCH', (r) => writeFileSync(r.layout.manifest(D1.snapshot_id), '?')],
    ['has lost its tree', 'E_PARTIAL_SNAPSHOT', (r) => rmSync(r.layout.snapshot(D1.snapshot_id), { recursive: true })],
  ] as [string, string, (r: Parameters<typeof createWorktree>[0]) => void][])(
    'is not made from a snapshot that %s',
    async ([, code, damage], { vector }) => {
      damage(vector);

      await expect(createWorktree(vector, 'second', { from: D1.snapshot_id, verify: true })).rejects.toMatchObject({
        code,
      });

      expect(existsSync(vector.layout.payload('second'))).toBe(false);
      expect(readdirSync(vector.layout.worktrees)).toEqual(['main']);
      expect(readdirSync(vector.layout.tmp)).toEqual([]);
      expect(auditRecords(vector)).toHaveLength(3);
    },
  );
});
