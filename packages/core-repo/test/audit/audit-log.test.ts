import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { appendAudit, auditAnchor, auditBackwards, auditEvents, isAudited } from '../../src/audit/audit-log.ts';
import type { AuditEvent } from '../../src/audit/audit-record.ts';
import { writeLargeRepository } from '@jvs/testkit';
import { pretty } from '../fixtures/canonical.ts';
import { AUDIT_RECORDS, D1, D2 } from '../fixtures/vectors.ts';
import { appendAuditByHand, auditRecords, open, test } from '../fixtures/world.ts';

const PLAN = '00000000-0000-4000-8000-0000000000cc';

function eventAbout(id: string | null): AuditEvent {
  return {
    event_id: randomUUID(),
    operation: 'ref_create',
    actor: 'host:ada:1:1',
    target: 'release',
    snapshot_id: id,
    fencing_token: null,
    session_id: null,
    reason: null,
    details: {},
  };
}

describe('an event', () => {
  test('gets the next place in the chain', async ({ vector }) => {
    const record = await appendAudit(vector, eventAbout(D1.snapshot_id));

    expect(record).toMatchObject({ seq: 4, prev_hash: AUDIT_RECORDS[2].record_hash, condemned_plan: null });
    expect(auditRecords(vector)).toHaveLength(4);
    expect(await auditAnchor(vector)).toBe(record.record_hash);
  });

  test('carries the condemned plan forward', async ({ vector }) => {
    appendAuditByHand(vector, { operation: 'gc_mark', condemned_plan: PLAN });

    await appendAudit(vector, eventAbout(null));
    await appendAudit(vector, eventAbout(null));

    expect(auditRecords(vector).map(({ condemned_plan }) => condemned_plan)).toEqual([
      null,
      null,
      null,
      PLAN,
      PLAN,
      PLAN,
    ]);
  });

  test('is searched backwards until records are an hour older', async ({ vector }) => {
    const since = Date.parse(AUDIT_RECORDS[0].timestamp);

    expect(await isAudited(vector, AUDIT_RECORDS[0].event_id, since)).toBe(true);
    expect(await isAudited(vector, randomUUID(), since)).toBe(false);
    expect(await isAudited(vector, AUDIT_RECORDS[0].event_id, since + 2 * 3_600_000)).toBe(false);
  });
});

describe('the root rule', () => {
  const refused = { code: 'E_SNAPSHOT_CONDEMNED' };

  function condemn(r: Parameters<typeof appendAudit>[0], ids: string[]): void {
    writeFileSync(`${r.layout.plans}/${PLAN}.json`, pretty({ plan_id: PLAN, to_delete: ids }));
    appendAuditByHand(r, { operation: 'gc_mark', condemned_plan: PLAN });
  }

  test('lets a root stand on a snapshot that is there', async ({ vector }) => {
    condemn(vector, [D2.snapshot_id]);

    await expect(appendAudit(vector, eventAbout(D1.snapshot_id), { root: true })).resolves.toMatchObject({ seq: 5 });
  });

  test('refuses one that the condemned plan lists', async ({ vector }) => {
    condemn(vector, [D2.snapshot_id]);

    await expect(appendAudit(vector, eventAbout(D2.snapshot_id), { root: true })).rejects.toMatchObject(refused);
    expect(auditRecords(vector)).toHaveLength(4);
  });

  test('refuses every one while the plan cannot be read', async ({ vector }) => {
    condemn(vector, []);
    const plan = `${vector.layout.plans}/${PLAN}.json`;
    for (const damage of [
      () => rmSync(plan),
      () => writeFileSync(plan, '{"to_delete":'),
      () => writeFileSync(plan, '{}'),
    ]) {
      damage();
      await expect(appendAudit(vector, eventAbout(D1.snapshot_id), { root: true })).rejects.toMatchObject(refused);
    }
  });

  test('refuses one that is gone', async ({ vector }) => {
    rmSync(vector.layout.snapshot(D2.snapshot_id), { recursive: true });

    await expect(appendAudit(vector, eventAbout(D2.snapshot_id), { root: true })).rejects.toMatchObject(refused);
    await expect(appendAudit(vector, eventAbout(D2.snapshot_id))).resolves.toBeDefined();
  });

  test('asks again when the plan ended while it was being read', async ({ vector }) => {
    condemn(vector, [D2.snapshot_id]);
    const plan = `${vector.layout.plans}/${PLAN}.json`;
    let looks = 0;
    const endsMeanwhile = {
      ...vector.layout,
      plan: () => {
        looks += 1;
        if (looks === 1) {
          appendAuditByHand(vector, { operation: 'gc_done', condemned_plan: null });
          rmSync(plan);
        }
        return plan;
      },
    };

    const record = await appendAudit({ ...vector, layout: endsMeanwhile }, eventAbout(D1.snapshot_id), { root: true });

    expect(record).toMatchObject({ seq: 6, condemned_plan: null });
    expect(looks).toBe(1);
  });
});

test('a folded chain is read backwards as it is forwards', async ({ dir }) => {
  writeLargeRepository(`${dir}/repo`, { auditRecords: 700 });
  const r = await open(dir);
  const forwards: string[] = [];
  for await (const { record_hash: hash } of auditEvents(r)) forwards.push(hash);
  const backwards: string[] = [];
  for await (const { record_hash: hash } of auditBackwards(r)) backwards.push(hash);

  expect(forwards.length).toBeGreaterThanOrEqual(700);
  expect(backwards).toEqual(forwards.toReversed());
});
