import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { findIntents } from '../../src/snapshot/intent.ts';
import { isComplete, publishedIds, requireVisible } from '../../src/snapshot/visible.ts';
import { D1, D2, describeSnapshot } from '../fixtures/vectors.ts';
import { test, writeIntent, writeReady, writeSnapshot } from '../fixtures/world.ts';

const X = describeSnapshot({ snapshot_id: '1771578760000-cafe0001', parent_snapshot_id: D1.snapshot_id });

describe('an intent', () => {
  // The vector log: 1 create, 2 acquire, 3 head = D1; there is no record 4.
  test.for([
    ['whose number has its snapshot as head', D1.snapshot_id, 3, undefined, 'committed', true],
    ['whose number has another head', D2.snapshot_id, 3, undefined, 'dead', false],
    ['whose number is no commit', D1.snapshot_id, 2, undefined, 'dead', false],
    ['whose number is not there yet', D2.snapshot_id, 4, undefined, 'open', false],
    ['claimed for adoption at a free number', D2.snapshot_id, 3, 'adopt-4', 'open', false],
    ['claimed for adoption at a number that was taken', D2.snapshot_id, 9, 'adopt-3', 'dead', false],
    ['claimed for adoption and adopted', D1.snapshot_id, 9, 'adopt-3', 'committed', true],
    ['claimed for removal', D1.snapshot_id, 3, 'drop', 'dropping', false],
  ] as const)('%s: %s at %s, %s, is %s', async ([, id, seq, as, state, isVisible], { vector }) => {
    writeIntent(vector, id, seq, { as: `${id}.${as ?? 'json'}` });

    expect(await findIntents(vector)).toMatchObject([{ snapshotId: id, state }]);
    expect(await findIntents(vector, id)).toHaveLength(1);
    expect(await findIntents(vector, X.snapshot_id)).toEqual([]);
    expect((await publishedIds(vector)).includes(id)).toBe(isVisible);
    const visible = requireVisible(vector, id);
    if (isVisible) await expect(visible).resolves.toMatchObject({ snapshot_id: id });
    else await expect(visible).rejects.toMatchObject({ code: 'E_PARTIAL_SNAPSHOT' });
  });

  test('under any other name is none', async ({ vector }) => {
    for (const as of ['notes.json', `${D1.snapshot_id}.json.tmp`, `${D1.snapshot_id}.adopt-x`, D1.snapshot_id]) {
      writeIntent(vector, D1.snapshot_id, 9, { as });
    }

    expect(await findIntents(vector)).toEqual([]);
  });

  test('of a worktree whose log is gone is open', async ({ vector }) => {
    writeIntent(vector, D2.snapshot_id, 3, { change: { worktree_id: '00000000-0000-4000-8000-00000000000d' } });

    expect(await findIntents(vector)).toMatchObject([{ state: 'open' }]);
  });
});

describe('a snapshot', () => {
  test('without intent is visible', async ({ vector }) => {
    expect(await requireVisible(vector, D1.snapshot_id)).toEqual(D1);
    expect(await publishedIds(vector)).toEqual([D1.snapshot_id, D2.snapshot_id]);
    expect(await isComplete(vector, D1.snapshot_id)).toBe(true);
  });

  test('without .READY is partial', async ({ vector }) => {
    rmSync(`${vector.layout.snapshot(D1.snapshot_id)}/.READY`);

    await expect(requireVisible(vector, D1.snapshot_id)).rejects.toMatchObject({ code: 'E_PARTIAL_SNAPSHOT' });
    expect(await isComplete(vector, D1.snapshot_id)).toBe(false);
  });

  test.for([
    ['another id', { snapshot_id: D2.snapshot_id }],
    ['another checksum', { descriptor_checksum: D2.descriptor_checksum }],
    ['another payload', { payload_root_hash: D2.payload_root_hash }],
  ] as const)('whose .READY names %s is partial', async ([, change], { vector }) => {
    const path = `${vector.layout.snapshot(D1.snapshot_id)}/.READY`;
    const { snapshot_id, created_at, engine, descriptor_checksum, payload_root_hash } = D1;
    writeFileSync(
      path,
      JSON.stringify({ snapshot_id, created_at, engine, descriptor_checksum, payload_root_hash, ...change }),
    );

    await expect(requireVisible(vector, D1.snapshot_id)).rejects.toMatchObject({ code: 'E_PARTIAL_SNAPSHOT' });
    expect(await isComplete(vector, D1.snapshot_id)).toBe(false);
  });

  test('whose descriptor is corrupt says so, and is not complete', async ({ vector }) => {
    writeFileSync(vector.layout.descriptor(D1.snapshot_id), '{}');

    await expect(requireVisible(vector, D1.snapshot_id)).rejects.toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
    expect(await isComplete(vector, D1.snapshot_id)).toBe(false);
  });

  test('that nobody made is not found', async ({ vector }) => {
    await expect(requireVisible(vector, X.snapshot_id)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect(await isComplete(vector, X.snapshot_id)).toBe(false);
  });

  test('that has a tree and a .READY but no descriptor is partial', async ({ vector }) => {
    writeSnapshot(vector.root, X, 'M1');
    writeReady(vector.root, X);
    rmSync(vector.layout.descriptor(X.snapshot_id));

    expect(await isComplete(vector, X.snapshot_id)).toBe(false);
    expect(await publishedIds(vector)).not.toContain(X.snapshot_id);
  });
});
