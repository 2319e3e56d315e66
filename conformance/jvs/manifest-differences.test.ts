import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';

import { test, type Descriptor, type RepositoryFiles, type User } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { sha256 } from './canonical.ts';

const FILES = 40;
const pathOf = (repo: RepositoryFiles, id: string): string => `${repo.control}/manifests/${id}.manifest`;
const readManifest = (repo: RepositoryFiles, id: string): string => readFileSync(pathOf(repo, id), 'latin1');

/** A locked worktree with forty files in one directory, and its first snapshot. */
async function begin(repo: RepositoryFiles, ada: User): Promise<Descriptor> {
  mkdirSync(`${repo.main}/d`);
  for (let n = 0; n < FILES; n += 1) writeFileSync(`${repo.main}/d/${n}`, `${n}\n`);
  await ada.ok(['lock', 'acquire']);
  return ada.json<Descriptor>(['snapshot']);
}

async function change(repo: RepositoryFiles, ada: User, file: number, text: string): Promise<Descriptor> {
  writeFileSync(`${repo.main}/d/${file}`, text);
  return ada.json<Descriptor>(['snapshot', text]);
}

describe('the manifest of a later snapshot', () => {
  test('is stored as its difference to the first one', async ({ repo, ada }) => {
    const first = await begin(repo, ada);
    const second = await change(repo, ada, 7, 'seven\n');
    rmSync(`${repo.main}/d/3`);
    const third = await ada.json<Descriptor>(['snapshot']);

    const changed = `+file 0644 6 ${sha256('seven\n')} d/7\n`;
    const removed = '-d/3\n';
    const { length } = changed;
    expect(readManifest(repo, first.snapshot_id)).toMatch(/^dir 0755 - - d\n/);
    expect(readManifest(repo, second.snapshot_id)).toBe(`base ${first.snapshot_id} ${length}\n${changed}`);
    const total = length + removed.length + length;
    expect(readManifest(repo, third.snapshot_id)).toBe(`base ${first.snapshot_id} ${total}\n${removed}${changed}`);
    await ada.ok(['verify', '--all']);
  });

  test('is whole again before the differences outgrow the base', async ({ repo, ada }) => {
    const first = await begin(repo, ada);
    const size = statSync(pathOf(repo, first.snapshot_id)).size;
    let stored = 0;
    let base = first.snapshot_id;
    let wholes = 0;
    for (let n = 0; n < 12; n += 1) {
      const { snapshot_id: id } = await change(repo, ada, n, `changed ${n}\n`);
      const [, named] = /^base (\S+) /.exec(readManifest(repo, id)) ?? [];
      if (named === undefined) {
        expect(stored).toBeLessThanOrEqual(size);
        wholes += 1;
        base = id;
        stored = 0;
      } else {
        expect(named).toBe(base);
        stored += statSync(pathOf(repo, id)).size - `base ${base} `.length;
        expect(stored).toBeLessThanOrEqual(size + 12 * 6);
      }
    }
    expect(wholes).toBeGreaterThan(0);
    expect(wholes).toBeLessThan(6);
    await ada.ok(['doctor', '--strict']);
  });

  test('is whole where the one before is lost, and verifies either way', async ({ repo, ada }) => {
    const first = await begin(repo, ada);
    rmSync(pathOf(repo, first.snapshot_id));

    const second = await change(repo, ada, 1, 'one\n');

    expect(readManifest(repo, second.snapshot_id)).toMatch(/^dir 0755 - - d\n/);
    await ada.ok(['verify', second.snapshot_id]);
    await ada.ok(['doctor', '--repair-runtime', '--strict']);
  });

  test('is lost with its base, and both are made anew from their payloads', async ({ repo, ada }) => {
    const first = await begin(repo, ada);
    const second = await change(repo, ada, 1, 'one\n');
    writeFileSync(pathOf(repo, first.snapshot_id), 'dir 0755 - - other\n');
    const { findings } = await ada.unhealthy<{ findings: { category: string }[] }>(['doctor', '--strict']);
    expect(findings.map(({ category }) => category)).toContain('manifest_missing');

    rmSync(pathOf(repo, first.snapshot_id));
    await ada.ok(['doctor', '--repair-runtime', '--strict']);

    for (const { snapshot_id: id, payload_root_hash: root } of [first, second]) {
      const manifest = readManifest(repo, id);
      if (!manifest.startsWith('base ')) expect(sha256(Buffer.from(manifest, 'latin1'))).toBe(root.value);
    }
    await ada.ok(['verify', '--all']);
  });
});
