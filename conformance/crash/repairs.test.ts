import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';

import {
  auditLog,
  auditRecords,
  readJson,
  slot,
  stateLog,
  stateRecords,
  test,
  worktreeId,
  type SavedRepository,
  type User,
} from '@jvs/testkit';
import { describe } from 'vitest';

import { crash, expectRepaired, snapshotIds } from './aftermath.ts';
import { AUDIT_REPAIR_STEPS, LOG_REPAIR_STEPS, RESET_STATE_STEPS } from './failpoints.ts';

const ACTIONS = ['kill', 'error:EIO'];
const cases = (steps: string[]) => steps.flatMap((step) => ACTIONS.map((action) => [step, action] as const));

/** Takes two more snapshots and removes the audit record of the first of them. */
async function breakAudit(saved: SavedRepository, ada: User): Promise<void> {
  await ada.ok(['snapshot', 'second']);
  await ada.ok(['snapshot', 'third']);
  unlinkSync(slot(auditLog(saved), 4));
}

/** Takes two more snapshots and cuts a state record in the middle short. Returns the ids, newest first. */
async function breakState(saved: SavedRepository, ada: User): Promise<string[]> {
  await ada.ok(['snapshot', 'second']);
  await ada.ok(['snapshot', 'third']);
  const ids = await snapshotIds(ada);
  const path = slot(stateLog(saved), 3);
  writeFileSync(path, readFileSync(path).subarray(0, 100));
  return ids;
}

describe.concurrent('audit_repair that dies or fails at any step', () => {
  test.for(cases(AUDIT_REPAIR_STEPS))('audit-repair:%s=%s', async ([step, action], { saved, ada, bob, expect }) => {
    await breakAudit(saved, ada);
    await crash(bob, ['doctor', '--repair', 'audit_repair'], `audit-repair:${step}`, action);

    await ada.ok(['doctor', '--repair', 'audit_repair']);

    const records = auditRecords(saved);
    const events = records.map(({ event_id }) => event_id);
    const states = stateRecords(saved).map(({ event_id }) => event_id);
    expect(new Set(events).size).toBe(events.length);
    // The fourth state record is the second snapshot, whose event is lost for good.
    expect(states.filter((event) => !events.includes(event))).toEqual([states[3]]);
    expect(records.filter(({ operation }) => operation === 'repair')).toHaveLength(1);
    expect(records.at(-1)?.details['lost']).toContain(states[3]);
    expect(readdirSync(saved.control).filter((name) => name.startsWith('audit.broken-')).length).toBeGreaterThan(0);
    await ada.ok(['snapshot', 'goes on']);
    await expectRepaired(ada);
  });
});

describe.concurrent('reset_state that dies or fails at any step', () => {
  test.for(cases(RESET_STATE_STEPS))('reset-state:%s=%s', async ([step, action], { saved, ada, bob, expect }) => {
    const ids = await breakState(saved, ada);
    const oldId = worktreeId(saved);
    await crash(bob, ['doctor', '--repair', 'reset_state'], `reset-state:${step}`, action);

    await ada.ok(['doctor', '--repair', 'reset_state']);
    await ada.ok(['doctor', '--repair-runtime']);

    expect(worktreeId(saved)).not.toBe(oldId);
    expect(await snapshotIds(ada)).toEqual(ids);
    expect(stateRecords(saved)).toMatchObject([
      { kind: 'create', head_snapshot_id: ids[0], lock: null, pending: null },
    ]);
    expect(readdirSync(`${saved.control}/state`)).toEqual([worktreeId(saved)]);
    const told = auditRecords(saved).filter(({ details }) => details['repair'] === 'reset_state');
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({
      event_id: stateRecords(saved)[0]?.event_id,
      details: { old_worktree_id: oldId, worktree_id: worktreeId(saved) },
    });
    await ada.ok(['lock', 'acquire']);
    await ada.ok(['snapshot', 'goes on']);
    await expectRepaired(ada);
  });
});

describe.concurrent('log_repair that dies or fails after a removal', () => {
  test.for(cases(LOG_REPAIR_STEPS))('log-repair:%s=%s', async ([step, action], { saved, ada, expect }) => {
    const log = auditLog(saved);
    const stray = readJson<object>(slot(log, 3));
    for (const seq of [9, 11]) writeFileSync(slot(log, seq), `${JSON.stringify(stray)}\n`);
    await crash(ada, ['doctor', '--repair', 'log_repair'], `log-repair:${step}`, action);

    await ada.ok(['doctor', '--repair', 'log_repair']);

    expect(existsSync(slot(log, 9)) || existsSync(slot(log, 11))).toBe(false);
    await expectRepaired(ada);
  });
});
