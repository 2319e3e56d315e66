import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { afterEach, describe, expect } from 'vitest';
import { cleanIntents } from '../../src/doctor/check-publications.ts';
import type { Repository } from '../../src/repository.ts';
import { abandonSnapshot, dropIntent, finishDrop, removeManifest } from '../../src/snapshot/drop-snapshot.ts';
import { D1, D2, describeSnapshot } from '../fixtures/vectors.ts';
import { appendStateByHand, remains, test, writeIntent, writeSnapshot } from '../fixtures/world.ts';

const X = describeSnapshot({ snapshot_id: '1771578760000-cafe0001', parent_snapshot_id: D1.snapshot_id });
const ID = X.snapshot_id;
const DEAD = 2;
const OPEN = 4;
afterEach(disarmFailpoint);

/** What a publication leaves behind that stopped after the given step of the twelve. */
function stopAfter(r: Repository, step: number): void {
  writeSnapshot(r.root, X, 'M1');
  if (step < 10) rmSync(r.layout.descriptor(ID));
  if (step < 9) renameSync(r.layout.snapshot(ID), r.layout.unfinishedSnapshot(ID));
  if (step < 8) rmSync(`${r.layout.unfinishedSnapshot(ID)}/.READY`);
  if (step < 7) rmSync(r.layout.manifest(ID));
  if (step < 3) rmSync(r.layout.unfinishedSnapshot(ID), { recursive: true });
}

describe('dropping', () => {
  test.for([2, 3, 7, 8, 9, 10])('a publication that stopped after step %i leaves nothing', async (step, { vector }) => {
    stopAfter(vector, step);
    const path = writeIntent(vector, ID, DEAD);

    expect(await dropIntent(vector, { snapshotId: ID, path })).toBe(true);

    expect(remains(vector, ID)).toEqual([]);
    expect(remains(vector, D1.snapshot_id)).toEqual(['tree', 'descriptor', 'manifest']);
    expect(readdirSync(vector.layout.tmp)).toEqual([]);
  });

  test('has one winner among many; the losers touch nothing', async ({ vector }) => {
    stopAfter(vector, 8);
    const path = writeIntent(vector, ID, DEAD);

    const won = await Promise.all(Array.from({ length: 5 }, async () => dropIntent(vector, { snapshotId: ID, path })));

    expect(won.filter(Boolean)).toHaveLength(1);
    expect(remains(vector, ID)).toEqual([]);
  });

  test.for(['drop-claim', 'drop-tree', 'drop-descriptor'])(
    'interrupted after %s is finished by anybody',
    async (step, { vector }) => {
      stopAfter(vector, 10);
      const path = writeIntent(vector, ID, DEAD);
      armFailpoint(`publish:${step}`, () => {
        throw new Error('killed here');
      });
      await expect(dropIntent(vector, { snapshotId: ID, path })).rejects.toThrow('killed here');
      disarmFailpoint();
      expect(remains(vector, ID)).toContain('.drop');

      await finishDrop(vector, ID);
      await finishDrop(vector, ID);

      expect(remains(vector, ID)).toEqual([]);
    },
  );

  test('keeps a manifest that another one stands on', async ({ vector }) => {
    stopAfter(vector, 10);
    writeFileSync(vector.layout.manifest(D2.snapshot_id), `base ${ID} 0\n`);
    const path = writeIntent(vector, ID, DEAD);

    await dropIntent(vector, { snapshotId: ID, path });

    expect(remains(vector, ID)).toEqual(['manifest']);
    rmSync(vector.layout.manifest(D2.snapshot_id));
    await removeManifest(vector, ID);
    expect(remains(vector, ID)).toEqual([]);
  });
});

describe('an author who will not commit', () => {
  test('drops what he made', async ({ vector }) => {
    stopAfter(vector, 10);
    writeIntent(vector, ID, OPEN);

    await abandonSnapshot(vector, ID);

    expect(remains(vector, ID)).toEqual([]);
  });

  test('finishes a drop that others began', async ({ vector }) => {
    stopAfter(vector, 10);
    writeIntent(vector, ID, DEAD, { as: `${ID}.drop` });

    await abandonSnapshot(vector, ID);

    expect(remains(vector, ID)).toEqual([]);
  });

  test('whose intent and tree others removed takes away what he wrote since', async ({ vector }) => {
    stopAfter(vector, 10);
    rmSync(vector.layout.snapshot(ID), { recursive: true });
    mkdirSync(vector.layout.unfinishedSnapshot(ID));

    await abandonSnapshot(vector, ID);

    expect(remains(vector, ID)).toEqual([]);
  });

  test('whose snapshot another is adopting touches nothing', async ({ vector }) => {
    stopAfter(vector, 10);
    writeIntent(vector, ID, DEAD, { as: `${ID}.adopt-4` });

    await abandonSnapshot(vector, ID);

    expect(remains(vector, ID)).toEqual(['tree', 'descriptor', 'manifest', '.adopt-4']);
  });

  test('whose snapshot was adopted touches nothing', async ({ vector }) => {
    stopAfter(vector, 10);

    await abandonSnapshot(vector, ID);

    expect(remains(vector, ID)).toEqual(['tree', 'descriptor', 'manifest']);
  });
});

describe('cleaning intents', () => {
  test.for([
    ['open, incomplete', 8, OPEN, 'json', ['unfinished', 'manifest', '.json']],
    ['open, complete', 10, OPEN, 'json', ['tree', 'descriptor', 'manifest', '.json']],
    ['dead, incomplete', 8, DEAD, 'json', []],
    ['dead, without descriptor', 9, DEAD, 'json', []],
    ['dead, complete', 10, DEAD, 'json', ['tree', 'descriptor', 'manifest', '.json']],
    ['being dropped', 10, DEAD, 'drop', []],
    ['adopted at a free number', 10, DEAD, 'adopt-4', ['tree', 'descriptor', 'manifest', '.adopt-4']],
    ['adopted at a taken number', 10, OPEN, 'adopt-2', ['tree', 'descriptor', 'manifest', '.adopt-2']],
  ] as const)(
    '%s: what stopped after step %i, number %i, .%s, leaves %j',
    async ([, step, seq, as, left], { vector }) => {
      stopAfter(vector, step);
      writeIntent(vector, ID, seq, { as: `${ID}.${as}` });

      await cleanIntents(vector);

      expect(remains(vector, ID)).toEqual(left);
    },
  );

  test('ends a committed one and keeps its snapshot', async ({ vector }) => {
    writeIntent(vector, D1.snapshot_id, 3);

    await cleanIntents(vector);

    expect(remains(vector, D1.snapshot_id)).toEqual(['tree', 'descriptor', 'manifest']);
  });

  test.for([
    ['an unfinished tree', 8, []],
    ['a tree without descriptor', 9, []],
    ['a complete snapshot', 10, ['tree', 'descriptor', 'manifest']],
  ] as const)('without intent: %s leaves %j', async ([, step, left], { vector }) => {
    stopAfter(vector, step);

    await cleanIntents(vector);

    expect(remains(vector, ID)).toEqual(left);
  });

  test('without intent: a descriptor without tree goes, unless a state has it as head', async ({ vector }) => {
    stopAfter(vector, 10);
    rmSync(vector.layout.snapshot(ID), { recursive: true });
    rmSync(vector.layout.snapshot(D1.snapshot_id), { recursive: true });

    await cleanIntents(vector);

    expect(existsSync(vector.layout.descriptor(ID))).toBe(false);
    expect(remains(vector, D1.snapshot_id)).toEqual(['descriptor', 'manifest']);
  });

  test('without intent: what was ever a head stays, though the head moved on', async ({ vector }) => {
    appendStateByHand(vector, { kind: 'head', head_snapshot_id: D2.snapshot_id });
    rmSync(vector.layout.descriptor(D1.snapshot_id));

    await cleanIntents(vector);

    expect(remains(vector, D1.snapshot_id)).toEqual(['tree', 'manifest']);
  });

  test('touches nothing without intent while a state log cannot be read', async ({ vector }) => {
    stopAfter(vector, 9);
    writeFileSync(`${vector.layout.state(D1.worktree_id)}/000000000002.jsonl`, '?');

    await cleanIntents(vector).catch(() => {});

    expect(remains(vector, ID)).toEqual(['tree', 'manifest']);
  });
});
