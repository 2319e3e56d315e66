import { Buffer } from 'node:buffer';
import { writeFileSync } from 'node:fs';
import { prettyJson } from '@jvs/platform/canonical-json';
import { describe, expect } from 'vitest';
import { readWorktreeConfig } from '../../src/worktree/worktree-config.ts';
import { pretty, sha256 } from '../fixtures/canonical.ts';
import { CONFIG, CONFIG_SHA256 } from '../fixtures/vectors.ts';
import { test } from '../fixtures/world.ts';

test('the configuration of the test vectors has 177 bytes and the hash of audit record 1', () => {
  expect(prettyJson(CONFIG)).toBe(pretty(CONFIG));
  expect(Buffer.byteLength(prettyJson(CONFIG))).toBe(177);
  expect(sha256(prettyJson(CONFIG))).toBe(CONFIG_SHA256);
});

test('it is read, with keys of a later version', async ({ fresh }) => {
  expect(await readWorktreeConfig(fresh, 'main')).toEqual(CONFIG);
  writeFileSync(fresh.layout.worktreeConfig('main'), pretty({ ...CONFIG, colour: 'green' }));

  expect(await readWorktreeConfig(fresh, 'main')).toEqual({ ...CONFIG, colour: 'green' });
  expect(await readWorktreeConfig(fresh, 'second')).toBeUndefined();
});

describe('a configuration', () => {
  test.for([
    ['without an id', { ...CONFIG, worktree_id: undefined }],
    ['whose id would be a path', { ...CONFIG, worktree_id: '../../outside' }],
    ['with another isolation', { ...CONFIG, isolation: 'shared' }],
    ['with a base that is no id', { ...CONFIG, base_snapshot_id: 'HEAD' }],
  ] as [string, object][])('%s is corrupt', async ([, config], { fresh }) => {
    writeFileSync(fresh.layout.worktreeConfig('main'), pretty(config));

    await expect(readWorktreeConfig(fresh, 'main')).rejects.toMatchObject({ code: 'E_DESCRIPTOR_CORRUPT' });
  });
});
