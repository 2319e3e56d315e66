import { writeLargeRepository } from '@jvs/testkit';
import type { ExclusiveLog } from '@jvs/platform/exclusive-log';
import { expect } from 'vitest';
import { auditLog, isAudited } from '../../src/audit/audit-log.ts';
import { parseAuditRecord } from '../../src/audit/audit-record.ts';
import { standsNear } from '../../src/audit/find-near.ts';
import type { Repository } from '../../src/repository.ts';
import { open, test } from '../fixtures/world.ts';

/** A record's event and time. */
async function eventAt(r: Repository, seq: number): Promise<{ id: string; atMs: number }> {
  const record = await auditLog(r).read(seq);
  if (record === undefined) throw new Error(`No record ${seq}`);
  const { event_id: id, timestamp } = parseAuditRecord(record);
  return { id, atMs: Date.parse(timestamp) };
}

/** The log, with a count of the records that were read. */
function counting(log: ExclusiveLog): { log: ExclusiveLog; reads: () => number } {
  let reads = 0;
  return { log: { ...log, read: async (seq) => ((reads += 1), log.read(seq)) }, reads: () => reads };
}

test('an event is found where its time says, in few reads, folded or not', async ({ dir }) => {
  writeLargeRepository(`${dir}/repo`, { worktrees: [{ name: 'main', snapshots: 40 }], auditRecords: 1000 });
  const r = await open(dir);
  for (const seq of [1, 2, 500, 777, 1000]) {
    const { id, atMs } = await eventAt(r, seq);
    const { log, reads } = counting(auditLog(r));

    expect(await standsNear(log, id, atMs)).toBe(true);
    expect(reads()).toBeLessThan(80);
  }
});

test('one that was recorded long after its time is found all the same, and one that never was is not', async ({
  dir,
}) => {
  writeLargeRepository(`${dir}/repo`, { worktrees: [{ name: 'main', snapshots: 40 }], auditRecords: 1000 });
  const r = await open(dir);
  const { atMs: early } = await eventAt(r, 1);
  const { id: last } = await eventAt(r, 1000);

  expect(await standsNear(auditLog(r), last, early)).toBe(false);
  expect(await isAudited(r, last, early)).toBe(true);
  expect(await isAudited(r, '00000000-0000-4000-8000-00000000dead', early)).toBe(false);
});
