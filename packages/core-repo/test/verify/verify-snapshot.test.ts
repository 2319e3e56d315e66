import { Buffer } from 'node:buffer';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { describe, expect } from 'vitest';
import type { Repository } from '../../src/repository.ts';
import { verifyAll } from '../../src/verify/verify-all.ts';
import { verifySnapshot } from '../../src/verify/verify-snapshot.ts';
import { pretty } from '../fixtures/canonical.ts';
import { D1, D2, describeSnapshot } from '../fixtures/vectors.ts';
import { test, writeIntent } from '../fixtures/world.ts';

const ID = D2.snapshot_id;
const sound = {
  checksum_valid: true,
  payload_hash_valid: true,
  tamper_detected: false,
  severity: 'info',
  code: null,
  why: null,
  paths: [],
};

describe('a sound snapshot', () => {
  test('is read whole and found as it was published', async ({ vector }) => {
    expect(await verifySnapshot(vector, D1.snapshot_id)).toEqual({ snapshot_id: D1.snapshot_id, ...sound });
    expect(await verifySnapshot(vector, ID)).toEqual({ snapshot_id: ID, ...sound });
  });

  test('is not said to have a valid payload when that was not read whole', async ({ vector }) => {
    expect(await verifySnapshot(vector, ID, { payload: false })).toMatchObject({ ...sound, payload_hash_valid: null });
    expect(await verifySnapshot(vector, ID, { sample: 0.01 })).toMatchObject({ ...sound, payload_hash_valid: null });
    expect(await verifySnapshot(vector, ID, { sample: 1 })).toMatchObject({ ...sound, payload_hash_valid: null });
  });
});

function change(path: string, work: () => void): void {
  const { atime, mtime } = statOf(path);
  work();
  utimesSync(path, atime, mtime);
}

function statOf(path: string) {
  const [atime = 0, mtime = 0] = execFileSync('stat', ['-c', '%X %Y', path], { encoding: 'utf8' })
    .split(' ')
    .map(Number);
  return { atime, mtime };
}

describe('damage of a payload is found and named', () => {
  const at = (r: Repository, name: string) => `${r.layout.snapshot(ID)}/${name}`;
  test.for([
    [
      'a flipped byte, size and time kept',
      (r) => change(at(r, 'cr\rhere'), () => writeFileSync(at(r, 'cr\rhere'), '5')),
      [{ path: 'cr\\rhere', problem: 'different' }],
    ],
    ['a longer file', (r) => writeFileSync(at(r, 'new\nline'), '33'), [{ path: 'new\\nline', problem: 'different' }]],
    ['another mode', (r) => chmodSync(at(r, '\u00e9.txt'), 0o600), [{ path: '\u00e9.txt', problem: 'different' }]],
    ['another mode of a directory', (r) => chmodSync(at(r, 'sub'), 0o755), [{ path: 'sub', problem: 'different' }]],
    ['a missing file', (r) => unlinkSync(at(r, 'sub/.READY')), [{ path: 'sub/.READY', problem: 'missing' }]],
    ['an added file', (r) => writeFileSync(at(r, 'sub/more'), ''), [{ path: 'sub/more', problem: 'extra' }]],
    ['an added directory', (r) => mkdirSync(at(r, 'zz')), [{ path: 'zz', problem: 'extra' }]],
    ['an added FIFO', (r) => void execFileSync('mkfifo', [at(r, 'pipe')]), [{ path: 'pipe', problem: 'extra' }]],
    [
      'another target',
      (r) => {
        unlinkSync(at(r, 'odd'));
        symlinkSync('elsewhere', at(r, 'odd'));
      },
      [{ path: 'odd', problem: 'different' }],
    ],
    [
      'a file that became a link to its content',
      (r) => {
        unlinkSync(at(r, 'new\nline'));
        writeFileSync(`${r.root}/outside`, '3');
        symlinkSync(`${r.root}/outside`, at(r, 'new\nline'));
      },
      [{ path: 'new\\nline', problem: 'different' }],
    ],
    [
      'a name in the other normal form',
      (r) => {
        unlinkSync(at(r, 'e\u0301.txt'));
      },
      [{ path: 'e\u0301.txt', problem: 'missing' }],
    ],
    [
      'a name that is no text',
      (r) => unlinkSync(Buffer.concat([Buffer.from(at(r, '')), Buffer.from([0xff, 0xfe])])),
      [{ path: '\\xff\\xfe', problem: 'missing' }],
    ],
  ] as [string, (r: Repository) => void, object[]][])('%s', async ([, damage, paths], { vector }) => {
    damage(vector);

    expect(await verifySnapshot(vector, ID)).toMatchObject({
      checksum_valid: true,
      payload_hash_valid: false,
      tamper_detected: true,
      severity: 'critical',
      code: 'E_PAYLOAD_HASH_MISMATCH',
      paths,
    });
    expect(await verifyAll(vector)).toMatchObject({
      tamper_detected: true,
      payload_hash_valid: false,
      severity: 'critical',
    });
  });

  test('wherever it is, in a sample of everything', async ({ vector }) => {
    writeFileSync(`${vector.layout.snapshot(D1.snapshot_id)}/hello.txt`, 'jello\n');

    expect(await verifySnapshot(vector, D1.snapshot_id, { sample: 0.01 })).toMatchObject({
      tamper_detected: true,
      code: 'E_PAYLOAD_HASH_MISMATCH',
      paths: [{ path: 'hello.txt', problem: 'different' }],
    });
  });

  test('but not where it was not looked for', async ({ vector }) => {
    writeFileSync(`${vector.layout.snapshot(D1.snapshot_id)}/hello.txt`, 'jello\n');

    expect(await verifySnapshot(vector, D1.snapshot_id, { payload: false })).toMatchObject({ tamper_detected: false });
  });

  test('a sample in which a file is missing names it', async ({ vector }) => {
    unlinkSync(`${vector.layout.snapshot(D1.snapshot_id)}/hello.txt`);

    const verified = await verifySnapshot(vector, D1.snapshot_id, { sample: 1 });

    expect(verified).toMatchObject({ tamper_detected: true, paths: [{ path: 'hello.txt', problem: 'missing' }] });
  });
});

describe('damage of metadata', () => {
  test.for([
    ['an edited descriptor', (r) => rewrite(r.layout.descriptor(ID), '"v2"', '"v3"')],
    [
      'a descriptor with a forged checksum of another payload',
      (r) => writeFileSync(r.layout.descriptor(ID), pretty(describeSnapshot({ ...D2, note: 'forged' }))),
    ],
    ['an edited .READY', (r) => rewrite(`${r.layout.snapshot(ID)}/.READY`, '2d0c8bfd', '2d0c8bfe')],
    ['a .READY that is no JSON', (r) => writeFileSync(`${r.layout.snapshot(ID)}/.READY`, '{')],
  ] as [string, (r: Repository) => void][])('%s is E_DESCRIPTOR_CORRUPT', async ([, damage], { vector }) => {
    damage(vector);

    expect(await verifySnapshot(vector, ID)).toMatchObject({
      checksum_valid: false,
      tamper_detected: true,
      severity: 'critical',
      code: 'E_DESCRIPTOR_CORRUPT',
    });
  });

  test('an edited manifest is E_PAYLOAD_HASH_MISMATCH', async ({ vector }) => {
    rewrite(vector.layout.manifest(D1.snapshot_id), '0644', '0600');

    const expected = {
      checksum_valid: true,
      payload_hash_valid: false,
      tamper_detected: true,
      code: 'E_PAYLOAD_HASH_MISMATCH',
    };
    expect(await verifySnapshot(vector, D1.snapshot_id)).toMatchObject(expected);
    expect(await verifySnapshot(vector, D1.snapshot_id, { payload: false })).toMatchObject(expected);
  });

  test('a missing manifest is made of the payload, which must match', async ({ vector }) => {
    rmSync(vector.layout.manifest(ID));

    expect(await verifySnapshot(vector, ID)).toMatchObject({
      payload_hash_valid: true,
      tamper_detected: false,
      severity: 'error',
      code: 'manifest_missing',
    });
    expect(await verifyAll(vector)).toMatchObject({ tamper_detected: false, severity: 'error' });

    chmodSync(`${vector.layout.snapshot(ID)}/sub`, 0o755);
    expect(await verifySnapshot(vector, ID)).toMatchObject({
      payload_hash_valid: false,
      tamper_detected: true,
      code: 'E_PAYLOAD_HASH_MISMATCH',
    });
  });

  test('a snapshot that is not published is not verified', async ({ vector }) => {
    writeIntent(vector, ID, 9);

    await expect(verifySnapshot(vector, ID)).rejects.toMatchObject({ code: 'E_PARTIAL_SNAPSHOT' });
    await expect(verifySnapshot(vector, '1771578748123-00000000')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect((await verifyAll(vector)).snapshots.map(({ snapshot_id }) => snapshot_id)).toEqual([D1.snapshot_id]);
  });

  test('a descriptor without tree that no state record ever named is what a publication left, and no damage', async ({
    vector,
  }) => {
    rmSync(vector.layout.snapshot(ID), { recursive: true });

    const { snapshots, tamper_detected } = await verifyAll(vector);

    expect(snapshots.map(({ snapshot_id }) => snapshot_id)).toEqual([D1.snapshot_id]);
    expect(tamper_detected).toBe(false);
  });

  test('a tree without its marker is damage, whether or not it was committed', async ({ vector }) => {
    rmSync(`${vector.layout.snapshot(ID)}/.READY`);

    expect(await verifyAll(vector)).toMatchObject({ tamper_detected: true });
  });

  test.for([
    ['descriptor', (r: Repository) => r.layout.descriptor(ID)],
    ['.READY', (r: Repository) => `${r.layout.snapshot(ID)}/.READY`],
  ] as const)('white space that changed in %s is found, though it says the same', async ([, place], { vector }) => {
    const text = readFileSync(place(vector), 'utf8');
    writeFileSync(place(vector), text.replace('": "', '":\t"'));

    expect(await verifySnapshot(vector, ID)).toMatchObject({ tamper_detected: true, code: 'E_DESCRIPTOR_CORRUPT' });
  });

  test('a published snapshot without its tree is found with everything', async ({ vector }) => {
    rmSync(vector.layout.snapshot(D1.snapshot_id), { recursive: true });

    const { snapshots, tamper_detected } = await verifyAll(vector);

    expect(tamper_detected).toBe(true);
    expect(snapshots.find(({ snapshot_id }) => snapshot_id === D1.snapshot_id)).toMatchObject({
      code: 'E_PARTIAL_SNAPSHOT',
      tamper_detected: true,
    });
  });
});

function rewrite(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8');
  if (!text.includes(from)) throw new Error(`no ${from} in ${path}`);
  writeFileSync(path, text.replace(from, to));
}
