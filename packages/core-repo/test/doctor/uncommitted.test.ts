import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { parseStateRecord } from '@jvs/lock-lease';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { afterEach, describe, expect } from 'vitest';
import { appendAudit } from '../../src/audit/audit-log.ts';
import { eventOfState } from '../../src/audit/event-of-state.ts';
import { advanceHead } from '../../src/doctor/advance-head.ts';
import { dropOrphans } from '../../src/doctor/drop-orphans.ts';
import { requireVisible } from '../../src/snapshot/visible.ts';
import { stateLog } from '../../src/worktree/state-log.ts';
import { verifyAudit } from '../../src/verify/verify-audit.ts';
import type { Repository } from '../../src/repository.ts';
import { D1, D2, describeSnapshot, LOCK, type HandDescriptor } from '../fixtures/vectors.ts';
import {
  appendStateByHand,
  auditRecords,
  remains,
  stateRecords,
  test,
  writeIntent,
  writeSnapshot,
} from '../fixtures/world.ts';

afterEach(disarmFailpoint);
const WHOLE = ['tree', 'descriptor', 'manifest'];
const orphan = (random: string, parent: string | null = D1.snapshot_id) =>
  describeSnapshot({ snapshot_id: `1771578760000-${random}`, parent_snapshot_id: parent });

/** Ada has released; the complete snapshot's number 2 was taken by something else. */
async function leaveOrphan(r: Repository, descriptor: HandDescriptor): Promise<string> {
  if (stateRecords(r).at(-1)?.lock !== null) {
    const released = appendStateByHand(r, { kind: 'release', lock: null });
    const record = await stateLog(r, released.worktree_id).read(released.seq);
    if (record !== undefined) await appendAudit(r, await eventOfState(r, parseStateRecord(record)));
  }
  writeSnapshot(r.root, descriptor, 'M1');
  writeIntent(r, descriptor.snapshot_id, 2, { change: { parent_snapshot_id: descriptor.parent_snapshot_id } });
  return descriptor.snapshot_id;
}

describe('advancing the head to a complete snapshot that was never committed', () => {
  test('adopts it by a record of its own, under a lock', async ({ vector }) => {
    const id = await leaveOrphan(vector, orphan('cafe0001'));

    expect(await advanceHead(vector)).toMatchObject([{ repair: 'advance_head' }]);

    expect(
      stateRecords(vector)
        .map(({ kind }) => kind)
        .slice(3),
    ).toEqual(['release', 'acquire', 'adopt', 'release']);
    expect(stateRecords(vector).at(-1)).toMatchObject({ head_snapshot_id: id, lock: null });
    expect(remains(vector, id)).toEqual(WHOLE);
    await expect(requireVisible(vector, id)).resolves.toMatchObject({ snapshot_id: id });
    expect(
      auditRecords(vector).find(({ snapshot_id, operation }) => operation === 'repair' && snapshot_id === id),
    ).toBeDefined();
    expect(await verifyAudit(vector)).toMatchObject({ valid: true, audit_missing: [] });
  });

  test('needs exactly one', async ({ vector }) => {
    await expect(advanceHead(vector)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    const ids = [await leaveOrphan(vector, orphan('cafe0001')), await leaveOrphan(vector, orphan('cafe0002'))];

    await expect(advanceHead(vector)).rejects.toMatchObject({ code: 'E_AMBIGUOUS_ID', details: { ids } });
    for (const id of ids) expect(remains(vector, id)).toEqual([...WHOLE, '.json']);
  });

  test.for([
    ['whose parent is not the head', (r: Repository) => leaveOrphan(r, orphan('cafe0001', null))],
    [
      'that is incomplete',
      async (r: Repository) => rmSync(`${r.layout.snapshot(await leaveOrphan(r, orphan('cafe0001')))}/.READY`),
    ],
    [
      'that is being dropped',
      async (r: Repository) => {
        const id = await leaveOrphan(r, orphan('cafe0001'));
        renameSync(`${r.layout.intents}/${id}.json`, `${r.layout.intents}/${id}.drop`);
      },
    ],
    [
      'that may still be committed',
      async (r: Repository) => {
        const id = await leaveOrphan(r, orphan('cafe0001'));
        writeIntent(r, id, 99, { change: { parent_snapshot_id: D1.snapshot_id } });
      },
    ],
  ] as [string, (r: Repository) => Promise<unknown>][])(
    'is not offered for one %s',
    async ([, arrange], { vector }) => {
      await arrange(vector);

      await expect(advanceHead(vector)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
      expect(stateRecords(vector)).toHaveLength(4);
    },
  );

  test('refuses one whose contents are damaged, and gives the lock back', async ({ vector }) => {
    const id = await leaveOrphan(vector, orphan('cafe0001'));
    writeFileSync(`${vector.layout.snapshot(id)}/hello.txt`, 'jello\n');

    await expect(advanceHead(vector)).rejects.toMatchObject({ code: 'E_PARTIAL_SNAPSHOT' });

    expect(stateRecords(vector).at(-1)).toMatchObject({ kind: 'release', head_snapshot_id: D1.snapshot_id });
    expect(remains(vector, id)).toEqual([...WHOLE, '.json']);
    expect(await verifyAudit(vector)).toMatchObject({ valid: true });
  });

  test('waits for nobody: a lock held by another is a conflict', async ({ vector }) => {
    const id = await leaveOrphan(vector, orphan('cafe0001'));
    appendStateByHand(vector, { kind: 'acquire', lock: { ...LOCK, fencing_token: 5 } });

    await expect(advanceHead(vector)).rejects.toMatchObject({ code: 'E_LOCK_CONFLICT' });
    expect(remains(vector, id)).toEqual([...WHOLE, '.json']);
  });

  test('comes after whatever is pending', async ({ vector }) => {
    const id = await leaveOrphan(vector, orphan('cafe0001'));
    const pending = {
      op: 'restore',
      op_id: '00000000-0000-4000-8000-0000000000aa',
      snapshot_id: D2.snapshot_id,
      reason: 'why',
    };
    appendStateByHand(vector, { kind: 'begin', pending });

    await advanceHead(vector);

    const kinds = stateRecords(vector).map(({ kind }) => kind);
    expect(kinds.slice(kinds.lastIndexOf('begin'))).toEqual(['begin', 'end', 'acquire', 'adopt', 'release']);
    expect(stateRecords(vector).at(-1)).toMatchObject({ head_snapshot_id: id, pending: null });
  });

  test('that died after its claim is dead once its number is taken, and can be tried again', async ({ vector }) => {
    const id = await leaveOrphan(vector, orphan('cafe0001'));
    armFailpoint('adopt:claim', () => {
      throw new Error('killed here');
    });
    await expect(advanceHead(vector)).rejects.toThrow('killed here');
    disarmFailpoint();
    expect(remains(vector, id)).toEqual([...WHOLE, '.adopt-6']);

    await advanceHead(vector);

    expect(remains(vector, id)).toEqual(WHOLE);
    expect(stateRecords(vector).at(-1)).toMatchObject({ head_snapshot_id: id });
  });
});

describe('dropping orphans', () => {
  test('deletes complete snapshots that were never committed, and no other', async ({ vector }) => {
    const ids = [await leaveOrphan(vector, orphan('cafe0001')), await leaveOrphan(vector, orphan('cafe0002', null))];
    const open = orphan('cafe0003');
    writeSnapshot(vector.root, open, 'M1');
    writeIntent(vector, open.snapshot_id, 99);
    writeIntent(vector, D1.snapshot_id, 3);

    expect(await dropOrphans(vector)).toHaveLength(2);

    for (const id of ids) expect(remains(vector, id)).toEqual([]);
    expect(remains(vector, open.snapshot_id)).toEqual([...WHOLE, '.json']);
    expect(remains(vector, D1.snapshot_id)).toEqual([...WHOLE, '.json']);
  });
});
