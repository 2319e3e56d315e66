import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';

import { auditLog, auditRecords, slot, stateRecords, test, type AuditRecord } from '@jvs/testkit';
import { describe } from 'vitest';

import { recordLine } from '../jvs/canonical.ts';
import { crash, expectRecovery, snapshotIds } from './aftermath.ts';
import { ACTIONS, APPEND_STEPS, FOLD_STEPS } from './failpoints.ts';

const cross = (steps: string[]) => steps.flatMap((step) => ACTIONS.map((action) => [step, action] as const));

describe.concurrent('the state record of a snapshot: decided by the link', () => {
  test.for(cross(APPEND_STEPS))('append-state:%s=%s', async ([step, action], { saved, ada, expect }) => {
    writeFileSync(`${saved.main}/second.txt`, 'second\n');
    await crash(ada, ['snapshot'], `append-state:${step}`, action);

    const visible = await snapshotIds(ada);
    expect(visible).toHaveLength(step === 'temp' ? 1 : 2);
    expect(stateRecords(saved)).toHaveLength(step === 'temp' ? 3 : 4);
    const orphaned = step === 'temp' && readdirSync(`${saved.control}/descriptors`).length === 2;
    await expectRecovery(ada, visible, orphaned ? ['unreachable'] : []);
  });
});

describe.concurrent('the audit record of a snapshot: written again when it is missing', () => {
  test.for(cross(APPEND_STEPS))('append-audit:%s=%s', async ([step, action], { saved, ada, expect }) => {
    writeFileSync(`${saved.main}/second.txt`, 'second\n');
    await crash(ada, ['snapshot'], `append-audit:${step}`, action);

    const visible = await snapshotIds(ada);
    expect(visible).toHaveLength(2);
    await expectRecovery(ada, visible);
    const events = new Set(auditRecords(saved).map(({ event_id }) => event_id));
    for (const { event_id } of stateRecords(saved)) expect(events).toContain(event_id);
  });
});

describe.concurrent('other appends', () => {
  test.for(APPEND_STEPS)('append:%s=kill during lock release', async (step, { saved, ada, expect }) => {
    await crash(ada, ['lock', 'release'], `append:${step}`, 'kill');

    expect(stateRecords(saved).at(-1)?.kind).toBe(step === 'temp' ? 'head' : 'release');
    if (step !== 'temp') await ada.ok(['lock', 'acquire']);
    await expectRecovery(ada, [saved.id]);
  });

  test.for(['temp', 'link'])('append-audit:%s=kill during lock acquire', async (step, { repo, ada, expect }) => {
    await crash(ada, ['lock', 'acquire'], `append-audit:${step}`, 'kill');

    expect(stateRecords(repo).at(-1)?.kind).toBe('acquire');
    await expectRecovery(ada, []);
    expect(auditRecords(repo).map(({ operation }) => operation)).toEqual(['repo_init', 'lock_acquire', 'snapshot']);
  });
});

test('a temp that a dead writer left is an inert second name and is cleared after a day', async ({
  saved,
  ada,
  expect,
}) => {
  await crash(ada, ['snapshot'], 'append-state:temp', 'kill');
  const temps = () => readdirSync(`${saved.control}/tmp`);
  expect(temps()).toHaveLength(1);
  const old = (Date.now() - 25 * 3600 * 1000) / 1000;
  for (const name of temps()) utimesSync(`${saved.control}/tmp/${name}`, old, old);

  await ada.ok(['doctor', '--repair-runtime']);

  expect(temps()).toEqual([]);
});

describe.concurrent('folding', () => {
  test.for(FOLD_STEPS)(
    'fold:%s=kill loses no record, and the next fold finishes',
    async (step, { saved, ada, expect }) => {
      const log = auditLog(saved);
      const records = auditRecords(saved);
      for (let seq = records.length + 1; seq <= 330; seq++) {
        const event_id = `${seq.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
        const previous = records.at(-1);
        const line = recordLine({
          ...previous,
          seq,
          event_id,
          operation: 'lock_renew',
          snapshot_id: null,
          target: 'main',
          details: {},
          prev_hash: previous?.record_hash,
          timestamp: '2026-02-20T09:12:00.000Z',
        });
        writeFileSync(slot(log, seq), line);
        records.push(JSON.parse(line) as AuditRecord);
      }
      const old = (Date.now() - 48 * 3600 * 1000) / 1000;
      for (const name of readdirSync(log)) utimesSync(`${log}/${name}`, old, old);
      const expectValid = async () => {
        const chain = await ada.json<{ valid: boolean; count: number }>(['audit', 'verify']);
        expect(chain.valid).toBe(true);
        expect(chain.count).toBeGreaterThanOrEqual(330);
        return chain;
      };
      const before = records.slice(0, 256).map(({ seq }) => readFileSync(slot(log, seq), 'utf8'));

      await crash(ada, ['doctor', '--repair-runtime'], `fold:${step}`, 'kill');
      await expectValid();
      await ada.ok(['doctor', '--repair-runtime']);
      const { count } = await expectValid();

      const segment = readFileSync(`${log}/audit-000000000001-000000000256.jsonl`, 'utf8');
      expect(segment).toBe(before.join(''));
      expect(readdirSync(log)).toHaveLength(1 + count - 256);
    },
  );
});
