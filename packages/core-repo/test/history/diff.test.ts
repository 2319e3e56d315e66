import { chmodSync, mkdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { compareManifests } from '../../src/history/compare-manifests.ts';
import { diff } from '../../src/history/diff.ts';
import { serializeManifest } from '../../src/snapshot/manifest.ts';
import { openWorktree } from '../../src/worktree/worktree.ts';
import { pretty, sha256 } from '../fixtures/canonical.ts';
import { D1, D2, describeSnapshot, type HandDescriptor } from '../fixtures/vectors.ts';
import { test, writeReady } from '../fixtures/world.ts';

const HASHES = ['1', '2'].map((digit) => digit.repeat(64));

/** Facts of an entry, few enough that two manifests have some in common. */
const facts = fc.oneof(
  fc
    .tuple(fc.constantFrom('0644', '0600'), fc.constantFrom(0, 7), fc.constantFrom(...HASHES))
    .map((file) => `file ${file.join(' ')}`),
  fc.constantFrom('0755', '0700').map((mode) => `dir ${mode} - -`),
  fc.constantFrom(...HASHES).map((hash) => `symlink - - ${hash}`),
);
const name = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '.', '\\', '\n', '\r', ' ', 'é', '\xff'),
  minLength: 1,
  maxLength: 3,
});
const path = fc.array(name, { minLength: 1, maxLength: 2 }).map((parts) => parts.join('/'));
const payload = fc.dictionary(path, facts, { maxKeys: 12, noNullPrototype: true });

const entriesOf = (model: Record<string, string>) =>
  Object.entries(model)
    .map(([at, what]) => `${at}\0${what}`)
    .sort();

/** The comparison once more, as somebody would write it who has both payloads in memory. */
function bruteForce(from: Record<string, string>, to: Record<string, string>) {
  const paths = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort();
  const kind = (at: string) => {
    const [a, b] = [from[at], to[at]];
    if (a === b) return 'same';
    if (a === undefined) return 'added';
    if (b === undefined) return 'removed';
    const [aType, aMode, ...aContent] = a.split(' ');
    const [bType, bMode, ...bContent] = b.split(' ');
    if (aType !== bType) return 'type_changed';
    return aContent.join(' ') === bContent.join(' ') && aMode !== bMode ? 'mode_changed' : 'modified';
  };
  return Object.fromEntries(
    ['added', 'removed', 'modified', 'mode_changed', 'type_changed'].map((wanted) => [
      wanted,
      paths.filter((at) => kind(at) === wanted),
    ]),
  );
}

describe('whatever two manifests hold', () => {
  test('every difference is told once, by its kind', () => {
    fc.assert(
      fc.property(payload, payload, (from, to) => {
        const changes = compareManifests(entriesOf(from), entriesOf(to));
        const expected = bruteForce(from, to);

        for (const [wanted, paths] of Object.entries(expected)) {
          expect(Object.entries(changes).find(([kind]) => kind === wanted)?.[1]).toHaveLength(paths.length);
        }
      }),
    );
  });

  test('the stored lines are compared as the entries are', async ({ vector }) => {
    await fc.assert(
      fc.asyncProperty(payload, payload, async (from, to) => {
        store(vector.root, D1, serializeManifest(entriesOf(from)));
        store(vector.root, D2, serializeManifest(entriesOf(to)));

        const { totals: _totals, from: _from, to: _to, ...found } = await diff(vector, D1.snapshot_id, D2.snapshot_id);

        expect(found).toEqual(compareManifests(entriesOf(from), entriesOf(to)));
      }),
      { numRuns: 30 },
    );
  });
});

describe('against a live payload', () => {
  test('files of equal size are read, and nothing else needs to be', async ({ vector }) => {
    const w = await openWorktree(vector, 'main');
    const write = (name: string, content: string) => writeFileSync(`${w.path}/${name}`, content);
    write('hello.txt', 'hellO\n');
    write('new\nline', '');
    mkdirSync(`${w.path}/dir`);
    symlinkSync('x', `${w.path}/link`);

    expect(await diff(vector, D1.snapshot_id, w)).toMatchObject({
      from: D1.snapshot_id,
      to: 'main',
      added: ['dir', 'link', 'new\\nline'],
      modified: ['hello.txt'],
      totals: { added: 3, modified: 1, bytes_before: 6, bytes_after: 6 },
    });
    write('hello.txt', 'hello\n');
    for (const name of ['new\nline', 'link']) unlinkSync(`${w.path}/${name}`);
    rmSync(`${w.path}/dir`, { recursive: true });
    expect(await diff(vector, w, w)).toMatchObject({ from: D1.snapshot_id, added: [], modified: [] });
    chmodSync(`${w.path}/hello.txt`, 0o600);
    expect(await diff(vector, w, w)).toMatchObject({ modified: [], mode_changed: ['hello.txt'] });
    write('hello.txt', 'longer than before\n');
    expect(await diff(vector, w, w)).toMatchObject({ modified: ['hello.txt'], mode_changed: [] });
  });

  test('the empty payload stands for no snapshot', async ({ fresh, main }) => {
    writeFileSync(`${main.path}/a`, '1');

    expect(await diff(fresh, main, main)).toMatchObject({ from: null, added: ['a'], totals: { bytes_before: 0 } });
  });

  test('stops when it is told to', async ({ fresh, main }) => {
    writeFileSync(`${main.path}/a`, '1');

    await expect(diff(fresh, main, main, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
  });
});

/** Gives a snapshot of the vectors this manifest, with every checksum made to fit. */
function store(root: string, descriptor: HandDescriptor, manifest: string): void {
  const bytes = Buffer.from(manifest, 'latin1');
  const changed = describeSnapshot({
    ...descriptor,
    payload_root_hash: { algo: 'sha256', value: sha256(bytes) },
  });
  writeFileSync(`${root}/.jvs/manifests/${changed.snapshot_id}.manifest`, bytes);
  writeFileSync(`${root}/.jvs/descriptors/${changed.snapshot_id}.json`, pretty(changed));
  writeReady(root, changed);
}
