import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { resolveSnapshot } from '../../src/history/resolve-snapshot.ts';
import type { Repository } from '../../src/repository.ts';
import { openWorktree } from '../../src/worktree/worktree.ts';
import { pretty } from '../fixtures/canonical.ts';
import { D1, D2, describeSnapshot } from '../fixtures/vectors.ts';
import { appendStateByHand, test, writeIntent, writeSnapshot } from '../fixtures/world.ts';

const unknown = { code: 'E_NOT_FOUND' };

function writeRef(r: Repository, name: string, id: string): void {
  const event_id = '00000000-0000-4000-8000-0000000000ee';
  const ref = {
    ref_name: name,
    snapshot_id: id,
    created_at: D1.created_at,
    created_by: D1.created_by,
    note: '',
    event_id,
  };
  mkdirSync(`${r.layout.refs}/${name}`);
  writeFileSync(`${r.layout.refs}/${name}/${event_id}.json`, pretty(ref));
}

describe('a snapshot expression', () => {
  test('that is a full id stands for it', async ({ vector }) => {
    expect(await resolveSnapshot(vector, D1.snapshot_id)).toBe(D1.snapshot_id);
  });

  test.for([
    ['HEAD', D2.snapshot_id],
    ['HEAD~0', D2.snapshot_id],
    ['HEAD~1', D1.snapshot_id],
    ['main:HEAD', D2.snapshot_id],
    ['main:HEAD~1', D1.snapshot_id],
    ['17715787481', D1.snapshot_id],
    ['1771578748', D1.snapshot_id],
    ['177157875', D2.snapshot_id],
    ['0a1b', D1.snapshot_id],
    ['deadbeef', D2.snapshot_id],
    ['1771578748123-0', D1.snapshot_id],
  ])('%s stands for %s', async ([expression, id], { vector }) => {
    appendStateByHand(vector, { kind: 'head', head_snapshot_id: D2.snapshot_id });
    const main = await openWorktree(vector, 'main');

    expect(await resolveSnapshot(vector, expression ?? '', main)).toBe(id);
  });

  test.for([
    'HEAD~2',
    'main:HEAD~9',
    '',
    '17715',
    '0a1',
    'beef',
    'adbeef',
    'DEADBEEF',
    'latest',
    'HEAD~',
    'HEAD^',
    '../x',
    '.',
  ])('%s stands for nothing', async (expression, { vector }) => {
    appendStateByHand(vector, { kind: 'head', head_snapshot_id: D2.snapshot_id });

    await expect(resolveSnapshot(vector, expression, await openWorktree(vector, 'main'))).rejects.toMatchObject(
      unknown,
    );
  });

  test('HEAD needs a worktree that is there', async ({ vector }) => {
    await expect(resolveSnapshot(vector, 'HEAD')).rejects.toMatchObject(unknown);
    await expect(resolveSnapshot(vector, 'second:HEAD')).rejects.toMatchObject(unknown);
  });

  test('HEAD needs a head', async ({ fresh, main }) => {
    await expect(resolveSnapshot(fresh, 'HEAD', main)).rejects.toMatchObject(unknown);
  });

  test('with several matches is ambiguous, and lists them', async ({ vector }) => {
    await expect(resolveSnapshot(vector, '177157')).rejects.toMatchObject({
      code: 'E_AMBIGUOUS_ID',
      details: { ids: [D1.snapshot_id, D2.snapshot_id] },
    });
  });

  test('that is a ref stands for its target, before any prefix', async ({ vector }) => {
    writeRef(vector, 'deadbeef', D1.snapshot_id);
    writeRef(vector, 'release', D2.snapshot_id);

    expect(await resolveSnapshot(vector, 'deadbeef')).toBe(D1.snapshot_id);
    expect(await resolveSnapshot(vector, 'release')).toBe(D2.snapshot_id);
    await expect(resolveSnapshot(vector, 'releas')).rejects.toMatchObject(unknown);
  });

  test('that is an interrupted ref, an empty directory, stands for nothing', async ({ vector }) => {
    mkdirSync(`${vector.layout.refs}/release`);

    await expect(resolveSnapshot(vector, 'release')).rejects.toMatchObject(unknown);
  });

  test('does not see what is not committed', async ({ vector }) => {
    const open = describeSnapshot({ snapshot_id: '1771578760000-cafe0001' });
    writeSnapshot(vector.root, open, 'M1');
    writeIntent(vector, open.snapshot_id, 99);

    await expect(resolveSnapshot(vector, 'cafe0001')).rejects.toMatchObject(unknown);
  });

  test('of a time prefix is preferred to a random part', async ({ vector }) => {
    const other = describeSnapshot({ snapshot_id: '1999999999999-17715787' });
    writeSnapshot(vector.root, other, 'M1');

    await expect(resolveSnapshot(vector, '17715787')).rejects.toMatchObject({ code: 'E_AMBIGUOUS_ID' });
    expect(await resolveSnapshot(vector, '1999999')).toBe(other.snapshot_id);
  });
});
