import { mkdirSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { knownNames } from '../src/known-names.ts';
import { D1, D2 } from './fixtures/vectors.ts';
import { test } from './fixtures/world.ts';

test('snapshots come newest first, told by time and the first words of their note', async ({ vector }) => {
  const found = await knownNames(vector.root, 'snapshot');

  expect(found.map(({ name }) => name)).toEqual([D2.snapshot_id, D1.snapshot_id]);
  expect(found[1]).toEqual({ name: D1.snapshot_id, about: '2026-02-20 09:12' });
  expect(await knownNames(`${vector.root}/main`, 'snapshot', '17715787481')).toEqual([found[1]]);
});

test('a snapshot in publication is not offered', async ({ vector }) => {
  writeFileSync(`${vector.layout.intents}/${D2.snapshot_id}.json`, '{}');

  expect(await knownNames(vector.root, 'snapshot')).toMatchObject([{ name: D1.snapshot_id }]);
});

test('tags, worktrees and policies are known by name', async ({ vector }) => {
  writeFileSync(vector.layout.retention, '{ "thin": { "scope": "all" }, "default": {} }');

  expect(await knownNames(vector.root, 'tag', 'v')).toEqual([{ name: 'v2', about: `of ${D2.snapshot_id}` }]);
  expect(await knownNames(vector.root, 'worktree')).toEqual([{ name: 'main', about: '' }]);
  expect(await knownNames(vector.root, 'policy')).toEqual([
    { name: 'thin', about: '' },
    { name: 'default', about: '' },
  ]);
});

test('what is damaged is left out, and outside a repository there is nothing', async ({ vector, dir }) => {
  mkdirSync(`${vector.layout.refs}/half`, { recursive: true });
  writeFileSync(vector.layout.pin('7b1c3f0e-0000-4000-8000-000000000001'), '[');

  expect(await knownNames(vector.root, 'ref')).toEqual([]);
  expect(await knownNames(vector.root, 'pin')).toEqual([]);
  expect(await knownNames('/', 'snapshot')).toEqual([]);
  expect(await knownNames(`${dir}/not/there`, 'snapshot')).toEqual([]);
});
