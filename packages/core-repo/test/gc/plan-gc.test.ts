import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { createRef } from '../../src/refs/create-ref.ts';
import { pin } from '../../src/gc/pins.ts';
import { planGc } from '../../src/gc/plan-gc.ts';
import { auditRecords, appendStateByHand, test, writeIntent } from '../fixtures/world.ts';
import { hashWithout } from '../fixtures/canonical.ts';
import { aged } from './aged.ts';

describe('without a policy', () => {
  test('what nothing leads to may go, and everything else is counted once', async ({ dir }) => {
    const { r, side } = await aged(dir);

    const plan = await planGc(r);

    expect(plan).toMatchObject({
      policy_name: 'default',
      policy: { scope: 'unreachable', min_age_ms: 86_400_000 },
      candidate_count: 3,
      protected_by_head: 1,
      protected_by_lineage: 4,
      protected_by_ref: 0,
      protected_by_age: 0,
      to_delete: side.toSorted(),
    });
  });

  test('the plan is a file with its checksum, and one event', async ({ dir }) => {
    const { r } = await aged(dir);

    const plan = await planGc(r);

    const stored = JSON.parse(readFileSync(`${r.layout.plans}/${plan.plan_id}.json`, 'utf8')) as object;
    expect(stored).toEqual(plan);
    expect(plan.plan_checksum.value).toBe(hashWithout(stored, 'plan_checksum'));
    expect(auditRecords(r).at(-1)).toMatchObject({ operation: 'gc_plan', target: plan.plan_id, snapshot_id: null });
  });

  test('a tree without its marker stays, and nobody waits for a FIFO in the place of one', async ({ dir }) => {
    const { r, side } = await aged(dir);
    const [first = '', second = '', third = ''] = side;
    rmSync(`${r.layout.snapshot(first)}/.READY`);
    rmSync(`${r.layout.snapshot(second)}/.READY`);
    execFileSync('mkfifo', [`${r.layout.snapshot(second)}/.READY`]);

    expect(await planGc(r)).toMatchObject({ candidate_count: 1, to_delete: [third] });
  });

  test('what is younger than the minimum age stays', async ({ dir }) => {
    const { r } = await aged(dir);

    const plan = await planGc(r, { minAgeMs: 365 * 86_400_000 });

    expect(plan).toMatchObject({ candidate_count: 0, protected_by_age: 3 });
  });

  test('refs and pins protect, and their ancestors', async ({ dir }) => {
    const { r, side } = await aged(dir);
    const [first = '', second = '', third = ''] = side;
    await createRef(r, 'kept', second);

    expect(await planGc(r)).toMatchObject({ protected_by_lineage: 5, protected_by_ref: 1, to_delete: [third] });

    await pin(r, third, { reason: 'why not' });
    expect(await planGc(r)).toMatchObject({ protected_by_lineage: 6, protected_by_pin: 1, to_delete: [] });
    expect(first).not.toBe('');
  });

  test('a pin whose time is over protects nothing, once its record is no longer young', async ({ dir }) => {
    const { r, side } = await aged(dir);
    const past = { reason: 'short', untilMs: r.clock.now() - 1 };
    await pin(r, side[2] ?? '', past);

    const now = await planGc(r);
    const later = await planGc({ ...r, clock: { ...r.clock, now: () => Date.now() + 601_000 } });

    expect(now).toMatchObject({ protected_by_pin: 0, protected_by_intent: 1 });
    expect(later).toMatchObject({ protected_by_intent: 0, candidate_count: 3 });
  });

  test('ids and parents of intents stay', async ({ dir }) => {
    const { r, side } = await aged(dir);
    writeIntent(r, '1771578748123-0a1b2c3d', 99, { change: { parent_snapshot_id: side[0] } });

    const plan = await planGc(r);

    expect(plan).toMatchObject({ protected_by_intent: 1, candidate_count: 2 });
  });

  test('heads of the last seven days stay, of removed worktrees too', async ({ dir }) => {
    const day = 86_400_000;
    const within = await aged(`${dir}/a`, { endMs: Date.now() - 6 * day, intervalMs: 1000 });
    const beyond = await aged(`${dir}/b`, { endMs: Date.now() - 8 * day, intervalMs: 1000 });

    expect(await planGc(within.r)).toMatchObject({ protected_by_head: 8, candidate_count: 0 });
    expect(await planGc(beyond.r)).toMatchObject({ protected_by_head: 1, candidate_count: 3 });
  });

  test('the target of a pending operation stays', async ({ dir }) => {
    const { r, side } = await aged(dir);
    const [log = ''] = (await import('node:fs')).readdirSync(r.layout.states);
    const config = JSON.parse(readFileSync(r.layout.worktreeConfig('main'), 'utf8')) as { worktree_id: string };
    expect(log).not.toBe('');
    const pending = { op: 'restore', op_id: crypto.randomUUID(), snapshot_id: side[1], reason: 'back' };
    appendStateByHand(r, { kind: 'begin', at: new Date().toISOString(), pending }, config.worktree_id);

    const plan = await planGc(r);

    expect(plan).toMatchObject({ protected_by_head: 2, protected_by_lineage: 5, to_delete: [side[2]] });
  });

  test('ancestors are found behind a snapshot that was deleted and left a tombstone', async ({ dir }) => {
    const { r, main } = await aged(dir);
    const gone = main[3] ?? '';
    const descriptor = JSON.parse(readFileSync(r.layout.descriptor(gone), 'utf8')) as object;
    const tombstone = { snapshot_id: gone, plan_id: crypto.randomUUID(), deleted_at: '2026-01-01T00:00:00.000Z' };
    writeFileSync(r.layout.tombstone(gone), JSON.stringify({ ...tombstone, descriptor }));
    unlinkSync(r.layout.descriptor(gone));
    rmSync(r.layout.snapshot(gone), { recursive: true });

    expect(await planGc(r)).toMatchObject({ protected_by_lineage: 3, candidate_count: 3 });
  });
});

describe('damage keeps it from planning at all', () => {
  test('a descriptor that cannot be read', async ({ dir }) => {
    const { r, main } = await aged(dir);
    writeFileSync(r.layout.descriptor(main[2] ?? ''), 'noise');

    await expect(planGc(r)).rejects.toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
  });

  test('a gap in a lineage', async ({ dir }) => {
    const { r, main } = await aged(dir);
    unlinkSync(r.layout.descriptor(main[2] ?? ''));

    await expect(planGc(r)).rejects.toMatchObject({ code: 'E_LINEAGE_BROKEN' });
  });

  test('a worktree whose state log is gone', async ({ dir }) => {
    const { r } = await aged(dir);
    const { worktree_id: id } = JSON.parse(readFileSync(r.layout.worktreeConfig('main'), 'utf8')) as {
      worktree_id: string;
    };
    rmSync(r.layout.state(id), { recursive: true });

    await expect(planGc(r)).rejects.toMatchObject({ code: 'E_AUDIT_CHAIN_BROKEN' });
  });

  test('a ref that cannot be read', async ({ dir }) => {
    const { r } = await aged(dir);
    mkdirSync(`${r.layout.refs}/kept`);
    writeFileSync(`${r.layout.refs}/kept/${crypto.randomUUID()}.json`, '{}');

    await expect(planGc(r)).rejects.toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
  });
});

describe('bytes', () => {
  test('deletable are all of them, exclusive those whose content no kept manifest has, each once', async ({ dir }) => {
    // Each snapshot: 'shared\n' (7 bytes), own content; those of side share 'pair' (4) among themselves.
    const payload = (index: number): Record<string, string> => ({
      shared: 'shared\n',
      own: String(index),
      ...(index >= 5 ? { pair: 'pair', twin: 'pair' } : {}),
    });
    const { r } = await aged(dir, { payload });

    const plan = await planGc(r);

    expect(plan.deletable_bytes_estimate).toBe(3 * (7 + 1 + 4 + 4));
    expect(plan.exclusive_bytes_estimate).toBe(3 * 1 + 4);
  });

  test('a kept difference vouches for its own lines and for its base', async ({ dir }) => {
    const { r, main, side } = await aged(dir);
    const [base = ''] = side;
    const head = main[4] ?? '';
    // The head's manifest as a difference to that of a snapshot which goes: the base's lines are kept with it.
    const own = readFileSync(r.layout.manifest(head), 'utf8').split('\n')[0] ?? '';
    writeFileSync(r.layout.manifest(head), `base ${base} ${own.length + 2}\n+${own}\n`);

    const plan = await planGc(r);

    // 'own 6\n' and 'own 7\n'; 'own 5\n' stands in the base.
    expect(plan.exclusive_bytes_estimate).toBe(2 * 6);
  });
});

describe('policies', () => {
  test('come from gc/retention.json, changed by options', async ({ dir }) => {
    const { r } = await aged(dir);
    const thin = { scope: 'all', keep_last_n: 2, keep_tag_prefixes: ['release'], min_age_ms: 5 };
    writeFileSync(r.layout.retention, JSON.stringify({ thin }));

    const plan = await planGc(r, { policy: 'thin', keepLast: 1, keepWithinMs: 0 });

    expect(plan.policy_name).toBe('thin');
    expect(Object.entries(plan.policy)).toEqual([
      ['scope', 'all'],
      ['keep_last_n', 1],
      ['keep_within_ms', 0],
      ['keep_tag_prefixes', ['release']],
      ['min_age_ms', 5],
    ]);
    // Of main the head, of side its newest.
    expect(plan).toMatchObject({ protected_by_head: 1, protected_by_retention: 1, candidate_count: 6 });
  });

  const wrong: [string, string, string][] = [
    ['no JSON', '{', 'JSON'],
    ['a list', '[]', 'policies'],
    ['a misspelt rule', '{"default":{"keep_dayly":7}}', 'default.keep_dayly'],
    ['a negative count', '{"default":{"keep_daily":-1}}', 'default.keep_daily'],
    ['a fraction', '{"other":{"min_age_ms":1.5}}', 'other.min_age_ms'],
    ['another scope', '{"default":{"scope":"some"}}', 'default.scope'],
  ];
  test.for(wrong)('%s is refused with its place', async ([, text, place], { dir }) => {
    const { r } = await aged(dir);
    writeFileSync(r.layout.retention, text);

    const attempt = planGc(r);

    await expect(attempt).rejects.toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
    await expect(attempt).rejects.toThrow(place);
  });

  test('an unknown one is not found', async ({ dir }) => {
    const { r } = await aged(dir);

    await expect(planGc(r, { policy: 'thin' })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await expect(planGc(r, { policy: '../thin' })).rejects.toMatchObject({ code: 'E_NAME_INVALID' });
  });
});
