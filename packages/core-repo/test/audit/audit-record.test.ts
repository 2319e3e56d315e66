import { readFileSync } from 'node:fs';
import type { LogRecord } from '@jvs/platform/exclusive-log';
import { describe, expect } from 'vitest';
import { auditEvents, auditLog } from '../../src/audit/audit-log.ts';
import { AUDIT_OPERATIONS, parseAuditRecord } from '../../src/audit/audit-record.ts';
import { canonical, hashWithout } from '../fixtures/canonical.ts';
import { AUDIT_3_LINE, AUDIT_RECORDS } from '../fixtures/vectors.ts';
import { slot, test } from '../fixtures/world.ts';

describe('the audit records of the test vectors', () => {
  test('hash to what the document says', () => {
    expect(AUDIT_RECORDS.map((record) => hashWithout(record, 'record_hash'))).toEqual(
      AUDIT_RECORDS.map((record) => record.record_hash),
    );
    expect(canonical(AUDIT_RECORDS[2])).toBe(AUDIT_3_LINE);
  });

  test('are read as one chain', async ({ vector }) => {
    const read = [];
    for await (const record of auditEvents(vector)) read.push(record);

    expect(read).toEqual(AUDIT_RECORDS);
  });

  test('are written to the byte', async ({ fresh }) => {
    const log = auditLog(fresh);
    for (const { seq: _seq, prev_hash: _prev, record_hash: _hash, ...fields } of AUDIT_RECORDS.slice(1)) {
      await log.append(() => parseFields(fields));
    }

    expect(readFileSync(`${fresh.layout.audit}/${slot(3)}`, 'utf8')).toBe(`${AUDIT_3_LINE}\n`);
  });
});

function parseFields(fields: object) {
  return JSON.parse(JSON.stringify(fields)) as Record<string, string>;
}

test('the operations are those of the document', () => {
  const document =
    'repo_init worktree_create worktree_rename worktree_remove snapshot restore lock_acquire lock_renew lock_steal ' +
    'lock_release ref_create ref_delete gc_plan gc_mark gc_run gc_done gc_pin gc_unpin repair sync';

  expect([...AUDIT_OPERATIONS].toSorted()).toEqual(document.split(' ').toSorted());
});

test.for([
  ['an added key', { extra: 1 }],
  ['an unknown operation', { operation: 'lock_break' }],
  ['details that are no object', { details: [] }],
  ['an event id that is none', { event_id: 'seven' }],
] as [string, object][])('a record with %s is a broken chain', ([, change]) => {
  const record = { ...AUDIT_RECORDS[2], ...change } as unknown as LogRecord;

  expect(() => parseAuditRecord(record)).toThrow(expect.objectContaining({ code: 'E_AUDIT_CHAIN_BROKEN' }));
});
