import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { history, wholeHistory, type HistoryEntry, type HistoryOptions } from '../../src/history/history.ts';
import { openWorktree, type Worktree } from '../../src/worktree/worktree.ts';
import { pretty } from '../fixtures/canonical.ts';
import { D1, D2, describeSnapshot, type HandDescriptor } from '../fixtures/vectors.ts';
import { appendStateByHand, test, writeIntent, writeSnapshot } from '../fixtures/world.ts';
import type { Repository } from '../../src/repository.ts';

const D3 = describeSnapshot({
  snapshot_id: '1771578760000-00000003',
  parent_snapshot_id: D2.snapshot_id,
  note: 'third',
  tags: ['v3'],
  integrity_state: 'unverified',
});

async function collect(entries: AsyncIterable<HistoryEntry>): Promise<{ ids: string[]; error: unknown }> {
  const ids: string[] = [];
  try {
    for await (const { snapshot_id } of entries) ids.push(snapshot_id);
    return { ids, error: undefined };
  } catch (error) {
    return { ids, error };
  }
}

/** Main's history is D1, D2, D3. */
async function withThree(r: Repository): Promise<Worktree> {
  writeSnapshot(r.root, D3, 'M1');
  appendStateByHand(r, { kind: 'head', head_snapshot_id: D3.snapshot_id });
  return openWorktree(r, 'main');
}

function bury(r: Repository, descriptor: HandDescriptor): void {
  const id = descriptor.snapshot_id;
  rmSync(r.layout.descriptor(id));
  rmSync(r.layout.snapshot(id), { recursive: true });
  const tombstone = {
    snapshot_id: id,
    plan_id: '00000000-0000-4000-8000-0000000000aa',
    deleted_at: D1.created_at,
    descriptor,
  };
  writeFileSync(`${r.layout.tombstones}/${id}.json`, pretty(tombstone));
}

describe('the history of a worktree', () => {
  test('is nothing before the first snapshot', async ({ main }) => {
    expect(await collect(history(main))).toEqual({ ids: [], error: undefined });
  });

  test('goes from the head to the first snapshot', async ({ vector }) => {
    const main = await withThree(vector);

    expect(await collect(history(main))).toEqual({
      ids: [D3, D2, D1].map(({ snapshot_id }) => snapshot_id),
      error: undefined,
    });
  });

  test('tells of each snapshot what is to be known before relying on it', async ({ vector }) => {
    const main = await withThree(vector);
    bury(vector, D1);

    const labels: Record<string, string[]> = {};
    for await (const { snapshot_id, risk_labels } of history(main)) labels[snapshot_id] = risk_labels;

    expect(labels).toEqual({
      [D3.snapshot_id]: ['unverified'],
      [D2.snapshot_id]: ['best_effort'],
      [D1.snapshot_id]: ['deleted'],
    });
  });

  test.for([
    [{ limit: 1 }, [D3.snapshot_id]],
    [{ limit: 0 }, []],
    [{ tag: 'v2' }, [D2.snapshot_id]],
    [{ grep: '^thi' }, [D3.snapshot_id]],
    [{ grep: 'R&D' }, [D2.snapshot_id]],
    [{ grep: 'x' }, []],
    [{ tag: 'nightly', limit: 5 }, [D2.snapshot_id]],
  ] as [HistoryOptions, string[]][])('with %j is %j', async ([options, ids], { vector }) => {
    const main = await withThree(vector);

    expect(await collect(history(main, options))).toEqual({ ids, error: undefined });
  });

  test('refuses what is no regular expression', async ({ vector }) => {
    const { error } = await collect(history(await openWorktree(vector, 'main'), { grep: '(' }));

    expect(error).toMatchObject({ code: 'E_USAGE' });
  });

  test('ends at a gap, after what could be read', async ({ vector }) => {
    const main = await withThree(vector);
    rmSync(vector.layout.descriptor(D1.snapshot_id));

    const { ids, error } = await collect(history(main));

    expect(ids).toEqual([D3.snapshot_id, D2.snapshot_id]);
    expect(error).toMatchObject({ code: 'E_LINEAGE_BROKEN', details: { snapshot_id: D1.snapshot_id } });
  });

  test('goes on behind a tombstone', async ({ vector }) => {
    const main = await withThree(vector);
    bury(vector, D2);

    expect(await collect(history(main))).toEqual({
      ids: [D3, D2, D1].map(({ snapshot_id }) => snapshot_id),
      error: undefined,
    });
  });

  test('ends at a cycle, each snapshot told once', async ({ vector }) => {
    const first = describeSnapshot({ parent_snapshot_id: D2.snapshot_id });
    writeFileSync(vector.layout.descriptor(D1.snapshot_id), pretty(first));
    appendStateByHand(vector, { kind: 'head', head_snapshot_id: D2.snapshot_id });

    const { ids, error } = await collect(history(await openWorktree(vector, 'main')));

    expect(ids).toEqual([D2.snapshot_id, D1.snapshot_id]);
    expect(error).toMatchObject({ code: 'E_LINEAGE_BROKEN' });
  });

  test('ends at a descriptor that is corrupt', async ({ vector }) => {
    const main = await withThree(vector);
    writeFileSync(vector.layout.descriptor(D2.snapshot_id), '{}');

    const { ids, error } = await collect(history(main));

    expect(ids).toEqual([D3.snapshot_id]);
    expect(error).toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
  });
});

describe('the history of the repository', () => {
  test('has what every worktree published, newest first, and nothing uncommitted', async ({ vector }) => {
    writeSnapshot(vector.root, D3, 'M1');
    writeIntent(vector, D3.snapshot_id, 99);

    expect(await collect(wholeHistory(vector))).toEqual({ ids: [D2.snapshot_id, D1.snapshot_id], error: undefined });
    expect(await collect(wholeHistory(vector, { limit: 1 }))).toEqual({ ids: [D2.snapshot_id], error: undefined });
  });
});
