import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { canonicalJson } from '@jvs/platform/canonical-json';
import {
  descriptorChecksum,
  findDescriptor,
  readDescriptor,
  serializeDescriptor,
} from '../../src/snapshot/descriptor.ts';
import { canonical, hashWithout, pretty } from '../fixtures/canonical.ts';
import { D1, D2, describeSnapshot, type HandDescriptor } from '../fixtures/vectors.ts';
import { test } from '../fixtures/world.ts';

const corrupt = { code: 'E_DESCRIPTOR_CORRUPT' };

describe('the descriptors of the test vectors', () => {
  test.for([
    ['D1', D1],
    ['D2', D2],
  ] as [string, HandDescriptor][])('%s has the checksum of the document', ([, descriptor]) => {
    expect(hashWithout(descriptor, 'descriptor_checksum', 'integrity_state')).toBe(
      descriptor.descriptor_checksum.value,
    );
    expect(descriptorChecksum(descriptor)).toEqual(descriptor.descriptor_checksum);
  });

  test('D1 begins canonically as the document prints it', () => {
    expect(canonicalJson(D1)).toMatch(
      /^\{"audit_anchor":"ea7b3ec212fca76c6c5f1b2f2575cf953220f5c1b87ac4927436418899556176","consistency_level":"quiesced",/,
    );
  });

  test('D2\u2019s note is canonically the document\u2019s', () => {
    expect(canonicalJson(D2.note)).toBe('"R&D <v2> \u2028 \\"q\\" \\\\ \\t\\u0001\u007f \u00e9 \u{1f600}"');
    expect(canonicalJson(D2)).toBe(canonical(D2));
  });

  test('the checksum covers every field but itself and the integrity state', () => {
    expect(descriptorChecksum({ ...D1, note: 'x' })).not.toEqual(D1.descriptor_checksum);
    const marked = { ...D1, integrity_state: 'unverified' as const };
    expect(descriptorChecksum(marked)).toEqual(D1.descriptor_checksum);
  });

  test('are written in the order of the document, two spaces, a final newline', () => {
    expect(serializeDescriptor(D2)).toBe(pretty(D2));
    expect(Object.keys(JSON.parse(serializeDescriptor(D1)) as object)).toEqual(Object.keys(D1));
  });

  test('are read from files', async ({ vector }) => {
    expect(await findDescriptor(vector, D1.snapshot_id)).toEqual(D1);
    expect(await readDescriptor(vector, D2.snapshot_id)).toEqual(D2);
  });
});

describe('a descriptor that is not right', () => {
  test('is none where there is no file', async ({ vector }) => {
    expect(await findDescriptor(vector, '1771578748123-00000000')).toBeUndefined();
    await expect(readDescriptor(vector, '1771578748123-00000000')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });

  test('is none where the id is none, whatever file it would name', async ({ vector }) => {
    for (const id of ['../descriptors/1771578748123-0a1b2c3d', '', '1771578748123-0A1B2C3D']) {
      await expect(readDescriptor(vector, id)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    }
  });

  test.for([
    ['an edited field', (text: string) => text.replace('"note": ""', '"note": "better"')],
    ['an edited checksum', (text: string) => text.replace('bf7bc965', 'bf7bc964')],
    ['an added field', (text: string) => text.replace('{', '{\n  "extra": 1,')],
    ['a removed field', (text: string) => text.replace('  "note": "",\n', '')],
    ['a changed type', (text: string) => text.replace('"fencing_token": 2', '"fencing_token": "2"')],
    ['half its length', (text: string) => text.slice(0, text.length / 2)],
    ['no content', () => ''],
    ['another algorithm', (text: string) => text.replaceAll('"sha256"', '"md5"')],
  ] as [string, (text: string) => string][])('with %s is corrupt', async ([, damage], { vector }) => {
    const path = vector.layout.descriptor(D1.snapshot_id);
    writeFileSync(path, damage(readFileSync(path, 'utf8')));

    await expect(findDescriptor(vector, D1.snapshot_id)).rejects.toMatchObject(corrupt);
  });

  test('that is another snapshot\u2019s is corrupt, though its checksum is right', async ({ vector }) => {
    writeFileSync(vector.layout.descriptor(D1.snapshot_id), pretty(D2));

    await expect(findDescriptor(vector, D1.snapshot_id)).rejects.toMatchObject(corrupt);
  });

  test('that is a directory is corrupt', async ({ vector }) => {
    mkdirSync(vector.layout.descriptor('1771578748123-00000000'));

    await expect(findDescriptor(vector, '1771578748123-00000000')).rejects.toMatchObject(corrupt);
  });

  test('with another layout of the same JSON is right', async ({ vector }) => {
    const descriptor = describeSnapshot({ note: 'on one line' });
    writeFileSync(vector.layout.descriptor(D1.snapshot_id), JSON.stringify(descriptor));

    expect(await findDescriptor(vector, D1.snapshot_id)).toEqual(descriptor);
  });
});
