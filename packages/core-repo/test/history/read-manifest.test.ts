import { expect } from 'vitest';
import { readManifest, type ManifestEntry } from '../../src/history/read-manifest.ts';
import type { Repository } from '../../src/repository.ts';
import { D1, D2 } from '../fixtures/vectors.ts';
import { test } from '../fixtures/world.ts';

async function entriesOf(r: Repository, id: string): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  for await (const entry of readManifest(r, id)) entries.push(entry);
  return entries;
}

test('the entries of a snapshot come in the order of their bytes, with all that the manifest says', async ({
  vector,
}) => {
  expect(await entriesOf(vector, D1.snapshot_id)).toEqual([
    {
      type: 'file',
      path: 'hello.txt',
      bytes: Buffer.from('hello.txt'),
      mode: 0o644,
      size: 6,
      sha256: '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03',
    },
  ]);
});

test('names are bytes: what is no UTF-8 can be shown and still be found', async ({ vector }) => {
  const entries = await entriesOf(vector, D2.snapshot_id);

  expect(entries).toHaveLength(13);
  expect(entries.at(-1)).toMatchObject({ path: '\\xff\\xfe', bytes: Buffer.from([0xff, 0xfe]), mode: 0o640, size: 9 });
  expect(entries.find(({ path }) => path === 'new\\nline')).toMatchObject({ bytes: Buffer.from('new\nline') });
  expect(entries.find(({ path }) => path === 'odd')).toMatchObject({ type: 'symlink', mode: null, size: null });
  expect(entries.find(({ path }) => path === 'sub')).toMatchObject({
    type: 'dir',
    mode: 0o700,
    size: null,
    sha256: null,
  });
});

test('of a snapshot that is not there there is nothing to read', async ({ vector }) => {
  const reading = entriesOf(vector, '1771578748123-00000000');

  await expect(reading).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
});
