import { expect, test } from 'vitest';

import { COVERED, failpointsInSource } from './failpoints.ts';

/** Of the list in docs/specs/jvs.md, the areas of this release. */
const PROMISED = {
  append: 'temp link unlink checked synced',
  fold: 'checked segment unlink',
  lock: 'credentials append renew',
  reserve: 'unlink write',
  publish:
    'begin intent clone manifest metadata compose manifest-link ready rename descriptor commit audit intent-unlink ' +
    'drop-claim drop-tree drop-descriptor',
  adopt: 'acquire claim append audit',
  create: 'opdir claim record audit payload end',
  rename: 'opdir begin audit payload claim arrive oldmeta end',
  remove: 'opdir begin audit payload metadata end discard',
  restore: 'opdir begin audit old new end discard',
  settle: 'claim judge intruder rebuild',
  ref: 'file audit delete-audit unlink',
  pin: 'file audit delete-audit unlink',
  gc: 'plan rundir mark move tombstone descriptor manifest tree done abandon-claim abandon-done',
};

test('every failpoint in the source is armed by a test of this folder', () => {
  expect(failpointsInSource().filter((name) => !COVERED.includes(name))).toEqual([]);
});

test('every failpoint that the specification promises is in the source', () => {
  const promised = Object.entries(PROMISED).flatMap(([area, steps]) =>
    steps.split(' ').map((step) => `${area}:${step}`),
  );
  const present = failpointsInSource();

  expect(promised.filter((name) => !present.includes(name))).toEqual([]);
  expect(COVERED.filter((name) => !present.includes(name))).toEqual([]);
});
