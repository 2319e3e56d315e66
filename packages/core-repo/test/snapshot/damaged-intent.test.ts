import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { doctor } from '../../src/doctor/doctor.ts';
import { wholeHistory } from '../../src/history/history.ts';
import { findIntents } from '../../src/snapshot/intent.ts';
import { D1, D2, WORKTREE_ID } from '../fixtures/vectors.ts';
import { slot, test, writeIntent } from '../fixtures/world.ts';

describe('an intent that cannot be read', () => {
  test('hides its snapshot and nothing else, is told of, and stays', async ({ vector }) => {
    const path = writeIntent(vector, D2.snapshot_id, 9);
    writeFileSync(path, 'nothing');

    expect(await findIntents(vector)).toEqual([
      { snapshotId: D2.snapshot_id, path, intent: undefined, state: 'damaged' },
    ]);
    const ids: string[] = [];
    for await (const { snapshot_id: id } of wholeHistory(vector)) ids.push(id);
    expect(ids).toEqual([D1.snapshot_id]);
    const { healthy, findings } = await doctor(vector, { repairRuntime: true });
    expect(healthy).toBe(true);
    expect(findings).toContainEqual(expect.objectContaining({ category: 'damaged_intent', severity: 'warning' }));
    expect(existsSync(path)).toBe(true);
  });

  test('that was claimed for removal needs only its name', async ({ vector }) => {
    const path = writeIntent(vector, D2.snapshot_id, 9, { as: `${D2.snapshot_id}.drop` });
    writeFileSync(path, '');

    const { repairs } = await doctor(vector, { repair: 'clean_intents' });

    expect(repairs).toMatchObject([{ repair: 'clean_intents' }]);
    expect(existsSync(path)).toBe(false);
    expect(existsSync(vector.layout.snapshot(D2.snapshot_id))).toBe(false);
  });

  test('cannot be decided while the record that decides is damaged', async ({ vector }) => {
    writeIntent(vector, D2.snapshot_id, 3);
    writeFileSync(`${vector.layout.state(WORKTREE_ID)}/${slot(3)}`, 'nothing');

    expect(await findIntents(vector)).toMatchObject([{ state: 'damaged' }]);
  });

  test('of a log that was replaced is dead unless that log had committed it', async ({ vector }) => {
    rmSync(`${vector.layout.state(WORKTREE_ID)}/${slot(2)}`);
    writeIntent(vector, D2.snapshot_id, 4);
    writeIntent(vector, D1.snapshot_id, 3);

    await doctor(vector, { repair: 'reset_state' });

    const states = (await findIntents(vector)).map(({ snapshotId, state }) => [snapshotId, state]);
    expect(states).toEqual([
      [D1.snapshot_id, 'committed'],
      [D2.snapshot_id, 'dead'],
    ]);
  });
});
