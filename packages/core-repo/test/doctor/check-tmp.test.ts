import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { afterEach, describe, expect } from 'vitest';
import { checkTmp, cleanTmp, keptTrees } from '../../src/doctor/check-tmp.ts';
import type { Repository } from '../../src/repository.ts';
import { createWorktree } from '../../src/worktree/create-worktree.ts';
import { removeWorktree } from '../../src/worktree/remove-worktree.ts';
import { pretty } from '../fixtures/canonical.ts';
import { D1 } from '../fixtures/vectors.ts';
import { appendAuditByHand, test } from '../fixtures/world.ts';

afterEach(disarmFailpoint);
const OP = 'op-00000000-0000-4000-8000-0000000000aa';

/** Makes everything in `tmp/` look as if nobody had touched it for so long. */
function age(r: Repository, hours: number): void {
  const then = Date.now() / 1000 - hours * 3600;
  for (const name of readdirSync(r.layout.tmp)) utimesSync(`${r.layout.tmp}/${name}`, then, then);
}

describe('clean_tmp', () => {
  test('deletes what is a day old, and nothing younger', async ({ vector }) => {
    writeFileSync(`${vector.layout.tmp}/file`, '');
    mkdirSync(`${vector.layout.tmp}/${OP}/old`, { recursive: true });
    age(vector, 23.9);
    expect(await checkTmp(vector)).toEqual([]);
    expect(await cleanTmp(vector)).toEqual([]);

    age(vector, 24.1);
    expect(await checkTmp(vector)).toMatchObject([{ category: 'old_tmp' }, { category: 'old_tmp' }]);
    expect(await cleanTmp(vector)).toHaveLength(2);
    expect(readdirSync(vector.layout.tmp)).toEqual([]);
  });

  test('never deletes what stood in the way of a payload', async ({ vector }) => {
    const intruder = `${vector.layout.tmp}/${OP}.1/intruder-00000000-0000-4000-8000-0000000000bb`;
    mkdirSync(intruder, { recursive: true });
    age(vector, 1000);

    expect(await cleanTmp(vector)).toEqual([]);

    expect(await keptTrees(vector)).toMatchObject([{ path: intruder, until: null }]);
  });

  test('leaves a pending operation alone, one that has given its name back too', async ({ vector }) => {
    await createWorktree(vector, 'second', { from: D1.snapshot_id });
    armFailpoint('remove:metadata', () => {
      throw new Error('killed here');
    });
    await removeWorktree(vector, 'second').catch(() => {});
    age(vector, 1000);

    expect(await cleanTmp(vector)).toEqual([]);

    expect(readdirSync(vector.layout.tmp)).toHaveLength(1);
  });

  test('leaves every op directory alone while a plan is being carried out', async ({ vector }) => {
    const plan = '00000000-0000-4000-8000-0000000000cc';
    writeFileSync(`${vector.layout.plans}/${plan}.json`, pretty({ plan_id: plan, to_delete: [] }));
    appendAuditByHand(vector, {
      operation: 'gc_mark',
      snapshot_id: null,
      target: plan,
      condemned_plan: plan,
      details: {},
    });
    mkdirSync(`${vector.layout.tmp}/${OP}`);
    age(vector, 1000);

    expect(await cleanTmp(vector)).toEqual([]);
  });
});

describe('kept trees', () => {
  test('are shown with their room on disk and until when they stay', async ({ vector }) => {
    mkdirSync(`${vector.layout.tmp}/${OP}/old`, { recursive: true });
    writeFileSync(`${vector.layout.tmp}/${OP}/old/data`, Buffer.alloc(100_000, 'x'));
    utimesSync(`${vector.layout.tmp}/${OP}`, 1_700_000_000, 1_700_000_000);

    const [kept] = await keptTrees(vector);

    expect(kept).toMatchObject({ path: `${vector.layout.tmp}/${OP}/old`, until: '2023-11-15T22:13:20.000Z' });
    expect(kept?.bytes).toBeGreaterThanOrEqual(100_000);
  });
});
