import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect } from 'vitest';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { abandonGc } from '../../src/gc/abandon-gc.ts';
import { planGc } from '../../src/gc/plan-gc.ts';
import { runGc } from '../../src/gc/run-gc.ts';
import { createRef } from '../../src/refs/create-ref.ts';
import { remains, test } from '../fixtures/world.ts';
import { aged } from './aged.ts';

afterEach(disarmFailpoint);

describe('a run whose directory is taken away', () => {
  test('moves nothing more', async ({ dir }) => {
    const { r, side } = await aged(dir);
    const { plan_id: id } = await planGc(r);
    armFailpoint('gc:mark', () => {
      disarmFailpoint();
      const [run = ''] = readdirSync(r.layout.tmp).filter((name) => name.startsWith('op-'));
      renameSync(`${r.layout.tmp}/${run}`, `${r.layout.tmp}/${run}.1`);
    });

    await expect(runGc(r, id)).rejects.toMatchObject({ code: 'E_GC_PLAN_MISMATCH' });

    for (const one of side) expect(remains(r, one)).toEqual(['tree', 'descriptor', 'manifest']);
    expect(await abandonGc(r, id)).toMatchObject({ deleted_count: 0 });
  });
});

describe('manifests', () => {
  test('that a kept one is a difference to stay, until it goes too', async ({ dir }) => {
    const { r, main, side } = await aged(dir);
    const [base = ''] = side;
    const kept = side[1] ?? '';
    await createRef(r, 'kept', main[0] ?? '');
    const text = readFileSync(r.layout.manifest(kept), 'utf8');
    const [own = ''] = text.split('\n');
    const difference = `base ${base} ${own.length + 2}\n+${own}\n`;
    writeFileSync(r.layout.manifest(kept), difference);
    // A pin on it alone would keep its ancestor as well; with scope all it does not.
    mkdirSync(`${r.layout.refs}/difference`);
    const event = crypto.randomUUID();
    const ref = { ref_name: 'difference', snapshot_id: kept, created_at: '2026-01-01T00:00:00.000Z' };
    writeFileSync(
      `${r.layout.refs}/difference/${event}.json`,
      JSON.stringify({ ...ref, created_by: 'x', note: '', event_id: event }),
    );
    const first = await planGc(r, { scope: 'all', keepLast: 0 });

    await runGc(r, first.plan_id);

    expect(existsSync(r.layout.descriptor(base))).toBe(false);
    expect(existsSync(r.layout.manifest(base))).toBe(true);
    expect(readFileSync(r.layout.manifest(kept), 'utf8')).toBe(difference);

    rmSync(`${r.layout.refs}/difference`, { recursive: true });
    await runGc(r, (await planGc(r)).plan_id);
    expect(existsSync(r.layout.manifest(base))).toBe(false);
    expect(existsSync(r.layout.manifest(kept))).toBe(false);
  });
});
