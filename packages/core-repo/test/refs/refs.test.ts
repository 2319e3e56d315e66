import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect } from 'vitest';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { listPins, pin, unpin } from '../../src/gc/pins.ts';
import { createRef } from '../../src/refs/create-ref.ts';
import { deleteRef } from '../../src/refs/delete-ref.ts';
import { compareWithRecords, finishDeletions } from '../../src/refs/interrupted-deletions.ts';
import { listRefs } from '../../src/refs/list-refs.ts';
import { findRef } from '../../src/refs/ref.ts';
import type { Repository } from '../../src/repository.ts';
import { D1, D2 } from '../fixtures/vectors.ts';
import { appendAuditByHand, auditRecords, test } from '../fixtures/world.ts';

afterEach(disarmFailpoint);

function writeRef(r: Repository, name: string, change: object = {}): string {
  const event = crypto.randomUUID();
  const ref = { ref_name: name, snapshot_id: D1.snapshot_id, created_at: new Date().toISOString(), created_by: 'x' };
  mkdirSync(r.layout.ref(name), { recursive: true });
  const path = `${r.layout.ref(name)}/${event}.json`;
  writeFileSync(path, JSON.stringify({ ...ref, note: '', event_id: event, ...change }));
  return event;
}

describe('reading', () => {
  test('a directory without a file is no ref', async ({ vector }) => {
    mkdirSync(vector.layout.ref('empty'));
    expect(await findRef(vector, 'empty')).toBeUndefined();
    expect(await listRefs(vector)).toEqual([]);
  });

  test.for(['..', '.', '', 'a/b', '.hidden', 'x'.repeat(129)])(
    '"%s" is never made a path of',
    async (name, { vector }) => {
      expect(await findRef(vector, name)).toBeUndefined();
    },
  );

  const damages: [string, object][] = [
    ['of another name', { ref_name: 'other' }],
    ['of another event', { event_id: crypto.randomUUID() }],
    ['without a snapshot', { snapshot_id: 'x' }],
  ];
  test.for(damages)('a file %s is damage', async ([, change], { vector }) => {
    writeRef(vector, 'good', change);
    await expect(findRef(vector, 'good')).rejects.toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
  });

  test('what is unknown in a ref is left alone', async ({ vector }) => {
    writeRef(vector, 'good', { later: true });
    expect(await listRefs(vector)).toMatchObject([{ ref_name: 'good', later: true }]);
  });
});

describe('creating', () => {
  test('makes a note well-formed', async ({ vector }) => {
    const { note } = await createRef(vector, 'good', D1.snapshot_id, { note: 'a\uD800b' });
    expect(note).toBe('a\uFFFDb');
  });

  test('a file in the place of the name is in the way', async ({ vector }) => {
    writeFileSync(vector.layout.ref('good'), '');

    await expect(createRef(vector, 'good', D1.snapshot_id)).rejects.toMatchObject({ code: 'E_EXISTS' });
    expect(readdirSync(vector.layout.tmp)).toEqual([]);
  });

  test('the snapshot goes before it is recorded: refused, and undone on record', async ({ vector }) => {
    armFailpoint('ref:file', () => {
      disarmFailpoint();
      rmSync(vector.layout.snapshot(D2.snapshot_id), { recursive: true });
    });

    await expect(createRef(vector, 'good', D2.snapshot_id)).rejects.toMatchObject({ code: 'E_SNAPSHOT_CONDEMNED' });

    expect(readdirSync(vector.layout.refs)).toEqual([]);
    expect(auditRecords(vector).at(-1)).toMatchObject({ operation: 'ref_delete', target: 'good', snapshot_id: null });
  });
});

describe('interrupted deletions', () => {
  test('are found by the event of the ref, in the last hour or in all of the chain', async ({ vector }) => {
    const old = new Date(Date.now() - 3 * 3_600_000).toISOString();
    const before = writeRef(vector, 'old', { created_at: old });
    appendAuditByHand(vector, { timestamp: old, operation: 'ref_create', event_id: before, details: {} });
    const details = { object_event_id: before };
    appendAuditByHand(vector, { timestamp: old, operation: 'ref_delete', event_id: crypto.randomUUID(), details });
    appendAuditByHand(vector, { operation: 'lock_renew', event_id: crypto.randomUUID(), details: {} });

    const recent = await compareWithRecords(vector, { sinceMs: Date.now() - 1000 });
    const all = await compareWithRecords(vector);

    expect(recent).toMatchObject({ deleted: [], unrecorded: [] });
    expect(all).toMatchObject({ deleted: [{ name: 'old' }], unrecorded: [] });
    expect(await finishDeletions(vector)).toEqual(['ref "old"']);
    expect(await finishDeletions(vector)).toEqual([]);
  });

  test('leave a later ref of the same name alone', async ({ vector }) => {
    const { event_id: first } = await createRef(vector, 'good', D1.snapshot_id);
    await deleteRef(vector, 'good');
    const second = await createRef(vector, 'good', D1.snapshot_id);

    await finishDeletions(vector);

    expect(await listRefs(vector)).toMatchObject([{ event_id: second.event_id }]);
    expect(second.event_id).not.toBe(first);
  });
});

describe('pins', () => {
  test('of one snapshot may be several, and go one by one', async ({ vector }) => {
    const first = await pin(vector, D1.snapshot_id, { reason: 'a' });
    await pin(vector, D1.snapshot_id, { reason: 'b' });

    await unpin(vector, first.pin_id);

    expect(await listPins(vector)).toMatchObject([{ reason: 'b', expired: false }]);
  });

  test('a long reason is whole in the pin, and cut in its record', async ({ vector }) => {
    const reason = 'x'.repeat(70_000);
    const { pin_id: id } = await pin(vector, D1.snapshot_id, { reason });

    const stored = JSON.parse(readFileSync(vector.layout.pin(id), 'utf8')) as { reason: string };
    expect(stored.reason).toBe(reason);
    expect(auditRecords(vector).at(-1)?.details).toMatchObject({ truncated: true });
    expect(auditRecords(vector).at(-1)?.reason).toHaveLength(4096);
  });

  test.for(['x', '../x', ''])('"%s" is no pin', async (id, { vector }) => {
    await expect(unpin(vector, id)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });
});
