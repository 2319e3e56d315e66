import { readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect } from 'vitest';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { abandonGc } from '../../src/gc/abandon-gc.ts';
import { planGc } from '../../src/gc/plan-gc.ts';
import { runGc } from '../../src/gc/run-gc.ts';
import { history } from '../../src/history/history.ts';
import { createRef } from '../../src/refs/create-ref.ts';
import { openWorktree } from '../../src/worktree/worktree.ts';
import { verifyAudit } from '../../src/verify/verify-audit.ts';
import { sha256 } from '../fixtures/canonical.ts';
import { appendAuditByHand, auditRecords, remains, test } from '../fixtures/world.ts';
import { aged, type Aged } from './aged.ts';

afterEach(disarmFailpoint);

class Interrupted extends Error {}

/** Lets the next pass through the failpoint fail, and the ones behind it go. */
function interruptAt(name: string): void {
  armFailpoint(name, () => {
    disarmFailpoint();
    throw new Interrupted();
  });
}

function isWhole({ r }: Aged, id: string): boolean {
  return ['tree', 'descriptor', 'manifest'].every((part) => remains(r, id).includes(part));
}

function tombstones({ r }: Aged): string[] {
  return readdirSync(r.layout.tombstones).map((name) => name.replace('.json', ''));
}

describe('running a plan', () => {
  test('deletes what it lists, leaves tombstones, and ends with a record that vouches for them', async ({ dir }) => {
    const world = await aged(dir);
    const { r, main, side } = world;
    const descriptors = side.map((id) => JSON.parse(readFileSync(r.layout.descriptor(id), 'utf8')) as object);
    const plan = await planGc(r);

    const result = await runGc(r, plan.plan_id);

    expect(result).toMatchObject({ plan_id: plan.plan_id, deleted_count: 3, failed: [], abandoned: false });
    for (const [index, id] of side.entries()) {
      expect(remains(r, id)).toEqual([]);
      const tombstone = JSON.parse(readFileSync(r.layout.tombstone(id), 'utf8')) as object;
      expect(Object.keys(tombstone)).toEqual(['snapshot_id', 'plan_id', 'deleted_at', 'descriptor']);
      expect(tombstone).toMatchObject({ snapshot_id: id, plan_id: plan.plan_id, descriptor: descriptors[index] });
    }
    for (const id of main) expect(isWhole(world, id)).toBe(true);
    const [mark, done] = auditRecords(r).slice(-2);
    expect(mark).toMatchObject({ operation: 'gc_mark', target: plan.plan_id, condemned_plan: plan.plan_id });
    expect(mark?.details).toMatchObject({ plan_checksum: plan.plan_checksum.value });
    const lines = side.toSorted().map((id) => `${id} ${sha256(readFileSync(r.layout.tombstone(id)))}\n`);
    expect(done).toMatchObject({ operation: 'gc_done', target: plan.plan_id, condemned_plan: null });
    expect(done?.details['object_sha256']).toBe(sha256(lines.join('')));
    expect(readdirSync(r.layout.plans)).toEqual([]);
    expect(readdirSync(r.layout.tmp)).toEqual([]);
    expect((await verifyAudit(r)).problems).toEqual([]);
  });

  test('with scope all thins a lineage, which can still be walked', async ({ dir }) => {
    const { r, main } = await aged(dir);
    const plan = await planGc(r, { scope: 'all', keepLast: 2 });

    await runGc(r, plan.plan_id);

    const walked: string[] = [];
    for await (const { snapshot_id: id, risk_labels: labels } of history(await openWorktree(r, 'main'))) {
      walked.push(`${id} ${labels.join()}`);
    }
    expect(walked).toEqual(main.toReversed().map((id, index) => `${id} ${index < 2 ? '' : 'deleted'}`));
  });

  test('that is empty succeeds', async ({ dir }) => {
    const { r } = await aged(dir, { worktrees: [{ name: 'main', snapshots: 2 }] });
    const plan = await planGc(r);

    expect(await runGc(r, plan.plan_id)).toMatchObject({ deleted_count: 0 });
    expect(auditRecords(r).at(-1)?.operation).toBe('gc_plan');
  });

  test('as a dry run changes nothing', async ({ dir }) => {
    const world = await aged(dir);
    const { r, side } = world;
    const plan = await planGc(r);
    const before = auditRecords(r).length;

    const result = await runGc(r, plan.plan_id, { dryRun: true });

    expect(result.deleted).toEqual(side.toSorted());
    expect(auditRecords(r)).toHaveLength(before);
    for (const id of side) expect(isWhole(world, id)).toBe(true);
  });
});

describe('a plan that does not hold any more', () => {
  const unknown = '3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5b';

  test.for([unknown, 'x', '../../tmp/x', ''])('is refused when it is unknown: "%s"', async (id, { dir }) => {
    const { r } = await aged(dir);
    await expect(runGc(r, id)).rejects.toMatchObject({ code: 'E_GC_PLAN_MISMATCH' });
  });

  const damages: [string, (text: string) => string][] = [
    ['edited', (text) => text.replace('"protected_by_head": 1', '"protected_by_head": 2')],
    ['extended by a key', (text) => text.replace('{', '{ "more": 1,')],
    ['no JSON', (text) => text.slice(0, 50)],
    ['empty', () => ''],
  ];
  test.for(damages)('is refused when it is %s', async ([, damage], { dir }) => {
    const { r } = await aged(dir);
    const { plan_id: id } = await planGc(r);
    writeFileSync(r.layout.plan(id), damage(readFileSync(r.layout.plan(id), 'utf8')));

    await expect(runGc(r, id)).rejects.toMatchObject({ code: 'E_GC_PLAN_MISMATCH' });
  });

  test('is refused when a candidate has been named since', async ({ dir }) => {
    const world = await aged(dir);
    const { r, side } = world;
    const { plan_id: id } = await planGc(r);
    await createRef(r, 'kept', side[1] ?? '');

    await expect(runGc(r, id)).rejects.toMatchObject({ code: 'E_GC_PLAN_MISMATCH' });
    for (const one of side) expect(isWhole(world, one)).toBe(true);
    expect(auditRecords(r).map(({ operation }) => operation)).not.toContain('gc_mark');
  });

  test('is refused when there are more candidates than then', async ({ dir }) => {
    const { r, side } = await aged(dir);
    const { ref_name: name } = await createRef(r, 'kept', side[1] ?? '');
    const later = { ...r, clock: { ...r.clock, now: () => Date.now() + 601_000 } };
    const { plan_id: id } = await planGc(later);
    rmSync(r.layout.ref(name), { recursive: true });

    await expect(runGc(r, id)).rejects.toMatchObject({ code: 'E_GC_PLAN_MISMATCH' });
  });
});

describe('between reading and condemning', () => {
  /** What happens once candidates and roots have been read and before the mark is appended. */
  function meanwhile(act: () => void): void {
    armFailpoint('gc:rundir', () => {
      disarmFailpoint();
      act();
    });
  }

  test('a record about a candidate stops it', async ({ dir }) => {
    const world = await aged(dir);
    const { r, side } = world;
    const { plan_id: id } = await planGc(r);
    meanwhile(() => {
      appendAuditByHand(r, { operation: 'restore', snapshot_id: null });
      appendAuditByHand(r, { operation: 'ref_create', snapshot_id: side[0] });
      appendAuditByHand(r, { operation: 'lock_renew', snapshot_id: null });
    });

    await expect(runGc(r, id)).rejects.toMatchObject({ code: 'E_GC_PLAN_MISMATCH' });
    expect(auditRecords(r).map(({ operation }) => operation)).not.toContain('gc_mark');
    expect(readdirSync(r.layout.tmp)).toEqual([]);
  });

  test('records about other things do not', async ({ dir }) => {
    const { r, main } = await aged(dir);
    const { plan_id: id } = await planGc(r);
    meanwhile(() => {
      for (let count = 0; count < 5; count += 1)
        appendAuditByHand(r, { operation: 'lock_renew', snapshot_id: main[0] });
    });

    expect(await runGc(r, id)).toMatchObject({ deleted_count: 3 });
  });

  test('the mark of another plan stops it', async ({ dir }) => {
    const { r } = await aged(dir);
    const { plan_id: id } = await planGc(r);
    const other = '3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5b';
    meanwhile(() => void appendAuditByHand(r, { operation: 'gc_mark', target: other, condemned_plan: other }));

    await expect(runGc(r, id)).rejects.toMatchObject({
      code: 'E_GC_PLAN_MISMATCH',
      details: { condemned_plan: other },
    });
  });
});

const STEPS = ['rundir', 'mark', 'move', 'tombstone', 'descriptor', 'manifest', 'tree', 'done'];

describe('after an interruption', () => {
  test.for(STEPS)('at gc:%s running it again goes on', async (step, { dir }) => {
    const world = await aged(dir);
    const { r, main, side } = world;
    const { plan_id: id } = await planGc(r);
    interruptAt(`gc:${step}`);
    await expect(runGc(r, id)).rejects.toThrow(Interrupted);

    expect(await runGc(r, id)).toMatchObject({ deleted_count: 3, failed: [] });

    for (const one of side) expect(remains(r, one)).toEqual([]);
    for (const one of main) expect(isWhole(world, one)).toBe(true);
    expect(tombstones(world)).toEqual(side.toSorted());
    expect(auditRecords(r).filter(({ operation }) => operation === 'gc_done')).toHaveLength(1);
    expect(auditRecords(r).at(-1)?.condemned_plan).toBeNull();
    expect(readdirSync(r.layout.tmp)).toEqual([]);
    expect((await verifyAudit(r)).problems).toEqual([]);
  });

  test.for(STEPS.slice(1, -1))('at gc:%s abandoning it leaves every snapshot whole or gone', async (step, { dir }) => {
    const world = await aged(dir);
    const { r, side } = world;
    const { plan_id: id } = await planGc(r);
    interruptAt(`gc:${step}`);
    await expect(runGc(r, id)).rejects.toThrow(Interrupted);

    const result = await abandonGc(r, id);

    const gone = side.filter((one) => !isWhole(world, one));
    expect(result).toMatchObject({ abandoned: true, deleted_count: gone.length });
    for (const one of gone) expect(remains(r, one)).toEqual([]);
    expect(tombstones(world)).toEqual(gone.toSorted());
    expect(auditRecords(r).at(-1)).toMatchObject({
      operation: 'gc_done',
      condemned_plan: null,
      details: { abandoned: true, deleted: gone.length },
    });
    expect(readdirSync(r.layout.tmp)).toEqual([]);
    expect((await verifyAudit(r)).problems).toEqual([]);
    await expect(runGc(r, id)).rejects.toMatchObject({ code: 'E_GC_PLAN_MISMATCH' });
    if (step === 'mark') expect(gone).toEqual([]);
  });

  test('with its plan lost, what was moved is finished and the rest stays', async ({ dir }) => {
    const world = await aged(dir);
    const { r, side } = world;
    const { plan_id: id } = await planGc(r);
    interruptAt('gc:move');
    await expect(runGc(r, id)).rejects.toThrow(Interrupted);
    unlinkSync(r.layout.plan(id));

    const result = await runGc(r, id);

    expect(result).toMatchObject({ deleted_count: 1, abandoned: false });
    expect(side.filter((one) => isWhole(world, one))).toHaveLength(2);
    expect(tombstones(world)).toHaveLength(1);
    expect(auditRecords(r).at(-1)).toMatchObject({ operation: 'gc_done', condemned_plan: null });
    expect((await verifyAudit(r)).problems).toEqual([]);
  });

  test('no other plan is carried out', async ({ dir }) => {
    const { r } = await aged(dir);
    const { plan_id: first } = await planGc(r);
    const { plan_id: second } = await planGc(r);
    interruptAt('gc:mark');
    await expect(runGc(r, first)).rejects.toThrow(Interrupted);

    const attempt = runGc(r, second);

    await expect(attempt).rejects.toMatchObject({ code: 'E_GC_PLAN_MISMATCH' });
    await expect(attempt).rejects.toMatchObject({ details: { condemned_plan: first } });
    await expect(abandonGc(r, second)).rejects.toMatchObject({ code: 'E_GC_PLAN_MISMATCH' });
  });

  test('condemned snapshots become no roots, others do', async ({ dir }) => {
    const { r, main, side } = await aged(dir);
    const { plan_id: id } = await planGc(r);
    interruptAt('gc:mark');
    await expect(runGc(r, id)).rejects.toThrow(Interrupted);

    await expect(createRef(r, 'late', side[0] ?? '')).rejects.toMatchObject({ code: 'E_SNAPSHOT_CONDEMNED' });
    await createRef(r, 'fine', main[0] ?? '');

    expect(readdirSync(r.layout.refs)).toEqual(['fine']);
    expect(auditRecords(r).slice(-2)).toMatchObject([
      { operation: 'ref_delete', target: 'late', condemned_plan: id },
      { operation: 'ref_create', target: 'fine', condemned_plan: id },
    ]);
  });
});
