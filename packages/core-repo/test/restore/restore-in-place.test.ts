import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { afterEach, describe, expect } from 'vitest';
import type { Repository } from '../../src/repository.ts';
import { restoreInPlace } from '../../src/restore/restore-in-place.ts';
import { verifyAudit } from '../../src/verify/verify-audit.ts';
import { createWorktree } from '../../src/worktree/create-worktree.ts';
import { acquireLock } from '../../src/worktree/locking.ts';
import { settleWorktree } from '../../src/worktree/settle.ts';
import type { Worktree } from '../../src/worktree/worktree.ts';
import { pretty } from '../fixtures/canonical.ts';
import { D1, D2 } from '../fixtures/vectors.ts';
import { appendAuditByHand, auditRecords, stateRecords, test } from '../fixtures/world.ts';

afterEach(disarmFailpoint);
const PLAN = '00000000-0000-4000-8000-0000000000cc';

/** Worktree `second` with D1 as head, locked by us. */
async function ours(r: Repository): Promise<Worktree> {
  const { worktree } = await createWorktree(r, 'second', { from: D1.snapshot_id });
  await acquireLock(worktree);
  return worktree;
}

function condemn(r: Repository): void {
  writeFileSync(`${r.layout.plans}/${PLAN}.json`, pretty({ plan_id: PLAN, to_delete: [D2.snapshot_id] }));
  appendAuditByHand(r, { operation: 'gc_mark', snapshot_id: null, target: PLAN, condemned_plan: PLAN, details: {} });
}

/** Nothing was replaced, the head is what it was, and the chain tells of a refusal before it tells of the end. */
async function expectRefused(r: Repository, w: Worktree): Promise<void> {
  expect(readFileSync(`${w.path}/hello.txt`, 'utf8')).toBe('hello\n');
  const [begun, ended] = stateRecords(r, w.id).slice(-2);
  expect(begun).toMatchObject({ kind: 'begin', pending: { op: 'restore' } });
  expect(ended).toMatchObject({ kind: 'end', head_snapshot_id: D1.snapshot_id, pending: null });
  const events = auditRecords(r).slice(-2);
  expect(events).toMatchObject([
    { snapshot_id: null, details: { phase: 'begin', refused: true } },
    { details: { phase: 'end', outcome: 'undone' } },
  ]);
  expect(events.map(({ event_id }) => event_id)).toEqual([begun?.event_id, ended?.event_id]);
  expect(await verifyAudit(r)).toMatchObject({ valid: true, problems: [] });
  expect(readdirSync(r.layout.tmp)).toEqual([]);
}

describe('an in-place restore of a snapshot that is being deleted', () => {
  test('is refused and changes nothing', async ({ vector }) => {
    const w = await ours(vector);
    condemn(vector);

    await expect(restoreInPlace(w, D2.snapshot_id, { reason: 'a test' })).rejects.toMatchObject({
      code: 'E_SNAPSHOT_CONDEMNED',
    });

    await expectRefused(vector, w);
  });

  test('that died before it was recorded is undone by its settler', async ({ vector }) => {
    const w = await ours(vector);
    armFailpoint('restore:begin', () => {
      throw new Error('killed here');
    });
    await expect(restoreInPlace(w, D2.snapshot_id, { reason: 'a test' })).rejects.toThrow('killed here');
    disarmFailpoint();
    condemn(vector);

    expect(await settleWorktree(w)).toMatchObject({ operation: 'restore', outcome: 'undone' });

    await expectRefused(vector, w);
  });
});

test('a restore of the head that was undone is not taken for one that was done', async ({ vector }) => {
  const w = await ours(vector);
  writeFileSync(`${w.path}/work`, '');
  armFailpoint('restore:audit', () => {
    throw new Error('killed here');
  });
  await expect(restoreInPlace(w, D1.snapshot_id, { reason: 'a test' })).rejects.toThrow('killed here');
  disarmFailpoint();

  expect(await settleWorktree(w)).toMatchObject({ outcome: 'undone' });

  expect(auditRecords(vector).at(-1)?.details).toMatchObject({ phase: 'end', outcome: 'undone' });
  expect(readdirSync(w.path).sort()).toEqual(['hello.txt', 'work']);
});

describe('what a restore in place asks for', () => {
  test.for(['', '  \n'])('a reason, which %j is not', async (reason, { vector }) => {
    const w = await ours(vector);

    await expect(restoreInPlace(w, D2.snapshot_id, { reason })).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  test('an abort while the tree is prepared leaves nothing behind', async ({ vector }) => {
    const w = await ours(vector);
    const interrupted = new AbortController();
    armFailpoint('restore:opdir', () => interrupted.abort());

    const restoring = restoreInPlace(w, D2.snapshot_id, { reason: 'a test', signal: interrupted.signal });

    await expect(restoring).rejects.toMatchObject({ name: 'AbortError' });
    expect(readdirSync(vector.layout.tmp)).toEqual([]);
    expect(stateRecords(vector, w.id).at(-1)).toMatchObject({ kind: 'acquire' });
  });

  test('progress tells of phases, of how much, and of each step', async ({ vector }) => {
    const w = await ours(vector);
    const files = { planned: 0, advanced: 0 };

    await restoreInPlace(w, D2.snapshot_id, {
      reason: 'a test',
      onProgress: (event) => {
        if (event.type !== 'phase') files[event.type] += event.files ?? 0;
      },
    });

    expect(files).toEqual({ planned: 11, advanced: 11 });
  });
});
