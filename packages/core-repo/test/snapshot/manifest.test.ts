import { Buffer } from 'node:buffer';
import { rmSync, writeFileSync } from 'node:fs';
import { openTreePool, readTree } from '@jvs/platform/tree';
import { PAYLOAD_VECTORS, writePayload, type PayloadName } from '@jvs/testkit';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { Repository } from '../../src/repository.ts';
import { difference, storedForm } from '../../src/snapshot/manifest-difference.ts';
import { readManifestBases } from '../../src/snapshot/manifest-bases.ts';
import { parseManifest, pathOf, readManifestEntries, serializeManifest } from '../../src/snapshot/manifest.ts';
import { sha256 } from '../fixtures/canonical.ts';
import { bytesOfManifest, D1, D2, MANIFESTS } from '../fixtures/vectors.ts';
import { test } from '../fixtures/world.ts';

const NAMES: PayloadName[] = ['M0', 'M1', 'M2', 'M3'];

describe('the manifests of the test vectors', () => {
  test.for(NAMES)('%s has the length and the hash of the document', (name) => {
    const { manifestBytes, rootHash } = PAYLOAD_VECTORS[name];

    expect(bytesOfManifest(name)).toHaveLength(manifestBytes);
    expect(sha256(bytesOfManifest(name))).toBe(rootHash);
  });

  test.for(NAMES)('%s is made of its payload', async (name, { dir }) => {
    writePayload(dir, name);
    writeFileSync(`${dir}/.READY`, 'x');
    const pool = openTreePool({ threads: 1 });
    const { entries, totals } = await readTree(pool, dir, { skip: ['.READY'] });
    await pool.close();

    expect(serializeManifest(entries.sort())).toBe(MANIFESTS[name]);
    expect(totals).toMatchObject(PAYLOAD_VECTORS[name].stats);
  });

  test.for(NAMES)('%s is read and written back to the byte', (name) => {
    const entries = parseManifest(MANIFESTS[name]);

    expect(entries).toBeDefined();
    expect(serializeManifest(entries ?? [])).toBe(MANIFESTS[name]);
  });

  test('entries hold the bytes of paths, not their escapes', () => {
    expect(parseManifest(MANIFESTS.M3)?.map(pathOf)).toEqual([
      ' lead and trail ',
      'back\\nslash',
      'back\\slash',
      'cr\rhere',
      'e\xcc\x81.txt',
      'new\nline',
      'odd',
      'sub',
      'sub/.READY',
      '\xc3\xa9.txt',
      '\xef\xbd\x9e',
      '\xf0\x9f\x98\x80',
      '\xff\xfe',
    ]);
  });
});

describe('no manifest is', () => {
  const line = MANIFESTS.M1;
  test.for([
    ['a text without its last line end', line.slice(0, -1)],
    ['an empty line', '\n'],
    ['a line without a path', 'dir 0755 - - \n'],
    ['an unknown type', line.replace('file', 'fifo')],
    ['a mode of three digits', line.replace('0644', '644')],
    ['a mode that is not octal', line.replace('0644', '0689')],
    ['a size that is no number', line.replace(' 6 ', ' six ')],
    ['a hash that is too short', line.replace(/[0-9a-f] hello/, ' hello')],
    ['a hash in capitals', line.replace(/[0-9a-f]{64}/, (hash) => hash.toUpperCase())],
    ['a directory with a hash', line.replace('file 0644 6', 'dir 0644 -')],
    ['a symlink with a mode', line.replace('file 0644 6', 'symlink 0777 -')],
    ['an escape that is none', line.replace('hello', 'he\\llo')],
    ['the same path twice', line + line],
    ['lines out of order', 'dir 0755 - - b\ndir 0755 - - a\n'],
    ['lines in the order of their escapes', 'dir 0755 - - a\\\\\ndir 0755 - - a[\n'],
    ['a NUL in a path', line.replace('hello', 'he\0llo')],
  ])('%s', ([, text]) => {
    expect(parseManifest(text ?? '')).toBeUndefined();
  });

  test('(the plain one is)', () => {
    expect(parseManifest(line)).toHaveLength(1);
    expect(parseManifest('dir 0755 - - a[\ndir 0755 - - a\\\\\n')).toHaveLength(2);
  });
});

describe('a whole manifest in the repository', () => {
  test('proves itself against the descriptor', async ({ vector }) => {
    const entries = await readManifestEntries(vector, D2.snapshot_id, PAYLOAD_VECTORS.M3.rootHash);

    expect(serializeManifest(entries ?? [])).toBe(MANIFESTS.M3);
  });

  test('that is another one\u2019s is a mismatch', async ({ vector }) => {
    const reading = readManifestEntries(vector, D2.snapshot_id, PAYLOAD_VECTORS.M1.rootHash);

    await expect(reading).rejects.toMatchObject({ code: 'E_PAYLOAD_HASH_MISMATCH' });
  });

  test('that is missing is lost', async ({ vector }) => {
    rmSync(vector.layout.manifest(D2.snapshot_id));

    expect(await readManifestEntries(vector, D2.snapshot_id, PAYLOAD_VECTORS.M3.rootHash)).toBeUndefined();
  });
});

const NEXT = '1771578760000-00000001';

/** Stores a difference to D1's manifest (M1) by hand. */
function storeDifference(r: Repository, changes: string, base = D1.snapshot_id): void {
  writeFileSync(r.layout.manifest(NEXT), Buffer.from(`base ${base} ${changes.length}\n${changes}`, 'latin1'));
}

describe('a manifest stored as a difference', () => {
  const added = 'dir 0755 - - a\n';
  const hashOf = (text: string) => sha256(Buffer.from(text, 'latin1'));

  test('is read as the base with its changes', async ({ vector }) => {
    storeDifference(vector, `+${added}`);
    const whole = added + MANIFESTS.M1;

    const entries = await readManifestEntries(vector, NEXT, hashOf(whole));

    expect(serializeManifest(entries ?? [])).toBe(whole);
    expect(await readManifestBases(vector)).toEqual(new Set([D1.snapshot_id]));
  });

  test('may take away, replace and change nothing', async ({ vector }) => {
    storeDifference(vector, '-hello.txt\n');
    expect(await readManifestEntries(vector, NEXT, PAYLOAD_VECTORS.M0.rootHash)).toEqual([]);

    storeDifference(vector, '+dir 0700 - - hello.txt\n');
    const replaced = await readManifestEntries(vector, NEXT, hashOf('dir 0700 - - hello.txt\n'));
    expect(serializeManifest(replaced ?? [])).toBe('dir 0700 - - hello.txt\n');

    storeDifference(vector, '');
    const same = await readManifestEntries(vector, NEXT, PAYLOAD_VECTORS.M1.rootHash);
    expect(serializeManifest(same ?? [])).toBe(MANIFESTS.M1);
  });

  test('writes removed paths with the manifest\u2019s escapes', async ({ vector }) => {
    storeDifference(vector, '-new\\nline\n-\xff\xfe\n', D2.snapshot_id);
    const left = MANIFESTS.M3.split('\n')
      .filter((line) => !/(new\\nline|\xff\xfe)$/.test(line))
      .join('\n');

    const entries = await readManifestEntries(vector, NEXT, hashOf(left));

    expect(serializeManifest(entries ?? [])).toBe(left);
  });

  test.for([
    ['lacks its last line feed', '-hello.txt'],
    ['is out of order', '+dir 0755 - - z\n+dir 0755 - - a\n'],
    ['takes away what the base lacks', '-goodbye.txt\n'],
    ['has a line that is neither', 'dir 0755 - - a\n'],
    ['adds what is no entry', '+dir 755 - - a\n'],
    ['adds one path twice', '+dir 0755 - - a\n+dir 0700 - - a\n'],
  ])('that %s is no manifest', async ([, changes], { vector }) => {
    storeDifference(vector, changes ?? '');
    const expected = [
      MANIFESTS.M1,
      `dir 0755 - - a\n${MANIFESTS.M1}`,
      `${MANIFESTS.M1}dir 0755 - - z\ndir 0755 - - a\n`,
    ];

    for (const text of expected) {
      const outcome = await readManifestEntries(vector, NEXT, hashOf(text)).catch((error: unknown) => error);
      if (outcome !== undefined) expect(outcome).toMatchObject({ code: 'E_PAYLOAD_HASH_MISMATCH' });
    }
  });

  test.for([
    ['is missing', (r: Repository) => rmSync(r.layout.manifest(D1.snapshot_id))],
    ['is cut short', (r: Repository) => writeFileSync(r.layout.manifest(D1.snapshot_id), MANIFESTS.M1.slice(0, 40))],
    [
      'is itself a difference',
      (r: Repository) => writeFileSync(r.layout.manifest(D1.snapshot_id), `base ${D2.snapshot_id} 0\n`),
    ],
    [
      'was edited',
      (r: Repository) => writeFileSync(r.layout.manifest(D1.snapshot_id), MANIFESTS.M1.replace('0644', '0600')),
    ],
  ] as [string, (r: Repository) => void][])('whose base %s is lost', async ([, damage], { vector }) => {
    storeDifference(vector, `+${added}`);
    damage(vector);

    expect(await readManifestEntries(vector, NEXT, hashOf(added + MANIFESTS.M1))).toBeUndefined();
  });

  test('whose base is no snapshot id is lost, whatever file that would name', async ({ vector }) => {
    storeDifference(vector, `+${added}`, `../manifests/${D1.snapshot_id}`);

    expect(await readManifestEntries(vector, NEXT, hashOf(added + MANIFESTS.M1))).toBeUndefined();
  });

  test('between any two trees gives the second', async ({ vector }) => {
    const byte = fc.constantFrom('a', 'b', '-', '.', '/', '\\', '\n', '\r', ' ', '\xff');
    const path = fc.array(byte, { minLength: 1, maxLength: 4 }).map((bytes) => bytes.join(''));
    const tree = fc.dictionary(
      path,
      fc.constantFrom('dir 0755 - -', 'dir 0700 - -', `symlink - - ${'0'.repeat(64)}`, `file 0644 1 ${'1'.repeat(64)}`),
      {
        noNullPrototype: true,
      },
    );
    const textOf = (entries: Record<string, string>) =>
      byteOrder(Object.keys(entries))
        .map((key) => `${entries[key] ?? ''} ${escaped(key)}\n`)
        .join('');

    await fc.assert(
      fc.asyncProperty(tree, tree, async (from, to) => {
        writeFileSync(vector.layout.manifest(D1.snapshot_id), Buffer.from(textOf(from), 'latin1'));
        const changes = byteOrder([...new Set([...Object.keys(from), ...Object.keys(to)])])
          .filter((key) => from[key] !== to[key])
          .map((key) => (to[key] === undefined ? `-${escaped(key)}\n` : `+${to[key]} ${escaped(key)}\n`));
        storeDifference(vector, changes.join(''));

        const entries = await readManifestEntries(vector, NEXT, hashOf(textOf(to)));

        expect(difference(textOf(from), textOf(to))).toBe(changes.join(''));
        expect(serializeManifest(entries ?? [])).toBe(textOf(to));
        expect(entries).toHaveLength(Object.keys(to).length);
      }),
      { numRuns: 150 },
    );
  });
});

test('the worked example of the document is written as it stands there', () => {
  const hash = 'df7e70e5021544f4834bbee64a9e3789febc4be81470df629cad6ddb03320a5c';
  const changed = MANIFESTS.M2.split('\n')
    .filter((line) => !line.endsWith(' a-b'))
    .map((line) => (line.endsWith(' a.txt') ? `file 0644 1 ${hash} a.txt` : line))
    .join('\n');
  const whole = `${changed}dir 0755 - - new\n`;

  expect(difference(MANIFESTS.M2, whole)).toBe(`-a-b\n+file 0644 1 ${hash} a.txt\n+dir 0755 - - new\n`);
  expect(sha256(Buffer.from(whole, 'latin1'))).toBe('b56a5778aa3846719c78e34c8ebcd551c78c899cc5b16f7dd0923242ae1068e7');
});

describe('a manifest is stored', () => {
  const ADDED = 'dir 0755 - - a\n';
  const storedAfter = async (r: Repository, parent: string | null, whole: string): Promise<string> =>
    storedForm(r, parent, whole);

  test('whole when it is the first', async ({ vector }) => {
    expect(await storedAfter(vector, null, ADDED)).toBe(ADDED);
  });

  test('as a difference to that of its parent', async ({ vector }) => {
    const stored = await storedAfter(vector, D1.snapshot_id, ADDED + MANIFESTS.M1);

    expect(stored).toBe(`base ${D1.snapshot_id} 16\n+${ADDED}`);
  });

  test('as a difference to the base of its parent, and counts its bytes too', async ({ vector }) => {
    storeDifference(vector, `+${ADDED}`);

    const stored = await storedAfter(vector, NEXT, `dir 0700 - - a\n${MANIFESTS.M1}`);

    expect(stored).toBe(`base ${D1.snapshot_id} 32\n+dir 0700 - - a\n`);
  });

  test('as a difference to the manifest of a snapshot that was deleted', async ({ vector }) => {
    const tombstone = { snapshot_id: D1.snapshot_id, plan_id: NEVER, deleted_at: D1.created_at, descriptor: D1 };
    writeFileSync(vector.layout.tombstone(D1.snapshot_id), JSON.stringify(tombstone));
    rmSync(vector.layout.descriptor(D1.snapshot_id));

    expect(await storedAfter(vector, D1.snapshot_id, ADDED + MANIFESTS.M1)).toContain(`base ${D1.snapshot_id} `);
  });

  test('whole when the differences on one base would outgrow it', async ({ vector }) => {
    const line = (name: string): string => `dir 0755 - - ${name}\n`;
    const room = Math.floor(MANIFESTS.M1.length / (line('a').length + 1));
    const names = 'a b c d e f g h'.split(' ').slice(0, room + 1);
    const whole = (count: number): string => names.slice(0, count).map(line).join('') + MANIFESTS.M1;

    expect(await storedAfter(vector, D1.snapshot_id, whole(room))).toMatch(/^base /);
    expect(await storedAfter(vector, D1.snapshot_id, whole(room + 1))).toBe(whole(room + 1));
    storeDifference(
      vector,
      names
        .slice(0, room)
        .map((name) => `+${line(name)}`)
        .join(''),
    );
    expect(await storedAfter(vector, NEXT, whole(1))).toBe(whole(1));
  });

  test.for<[string, (r: Repository) => void]>([
    ['is missing', (r) => rmSync(r.layout.manifest(D1.snapshot_id))],
    ['is damaged', (r) => writeFileSync(r.layout.manifest(D1.snapshot_id), MANIFESTS.M1.replace('0644', '0600'))],
    ['belongs to nothing', (r) => rmSync(r.layout.descriptor(D1.snapshot_id))],
    ['has a damaged descriptor', (r) => writeFileSync(r.layout.descriptor(D1.snapshot_id), '{}')],
    ['is a difference itself', (r) => writeFileSync(r.layout.manifest(D1.snapshot_id), `base ${D2.snapshot_id} 0\n`)],
  ])('whole when the base %s', async ([, damage], { vector }) => {
    storeDifference(vector, `+${ADDED}`);
    damage(vector);

    expect(await storedAfter(vector, NEXT, ADDED)).toBe(ADDED);
  });

  test('whole when the parent names no base', async ({ vector }) => {
    writeFileSync(vector.layout.manifest(NEXT), 'base ../../x 0\n');

    expect(await storedAfter(vector, NEXT, ADDED)).toBe(ADDED);
  });
});

const NEVER = '00000000-0000-4000-8000-00000000dead';

function byteOrder(paths: string[]): string[] {
  return paths.toSorted((a, b) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')));
}

function escaped(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}
