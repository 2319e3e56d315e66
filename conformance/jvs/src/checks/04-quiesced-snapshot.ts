import { readFileSync } from 'node:fs';
import type { Check } from '../check.ts';
import { sha256 } from '../canonical.ts';
import { expectEqual, expectThat } from '../expectations.ts';
import { PAYLOAD_VECTORS, writePayload } from '../payloads.ts';
import { descriptorOf, namesIn, readJson, tipOf, treeAt, type Descriptor } from '../repository-files.ts';

export const quiescedSnapshot: Check = {
  number: 4,
  title: 'quiesced snapshot, valid lock',
  expected: 'success',
  everywhere: true,
  run: async (c) => {
    const { repo, ada } = await c.repository();
    await writePayload(c, repo.main, 'M2');
    const payload = treeAt(repo.main);
    await ada.ok('lock', 'acquire');

    const printed = await ada.json<Descriptor>('snapshot', 'a note', '--consistency', 'quiesced');

    const id = printed.snapshot_id;
    const stored = descriptorOf(repo, id);
    expectEqual({ ...printed, ...stored }, printed, 'The descriptor, beside what snapshot --json prints');
    const { rootHash, manifestBytes, stats } = PAYLOAD_VECTORS.M2;
    expectEqual(stored.payload_root_hash, { algo: 'sha256', value: rootHash }, 'payload_root_hash of payload M2');
    expectEqual(stored.payload_stats, stats, 'payload_stats of payload M2');
    expectEqual(stored.consistency_level, 'quiesced', 'consistency_level');
    expectEqual(
      [stored.note, stored.parent_snapshot_id, stored.fencing_token],
      ['a note', null, 2],
      'Note, parent, token',
    );
    const { kind, seq, head_snapshot_id: head } = tipOf(repo);
    expectEqual({ kind, seq, head }, { kind: 'head', seq: 3, head: id }, 'The newest state record');

    const manifest = readFileSync(`${repo.control}/manifests/${id}.manifest`);
    expectEqual(manifest.length, manifestBytes, 'The size of the manifest of payload M2');
    expectEqual(sha256(manifest), rootHash, 'The hash of the manifest');
    const { '.READY': marker, ...copy } = treeAt(`${repo.control}/snapshots/${id}`);
    expectThat(marker !== undefined, 'The snapshot must hold .READY');
    expectEqual(copy, payload, 'The tree of the snapshot, beside the payload');
    const ready = readJson<object>(`${repo.control}/snapshots/${id}/.READY`);
    const { created_at, engine, descriptor_checksum, payload_root_hash } = stored;
    const agreeing = { snapshot_id: id, created_at, engine, descriptor_checksum, payload_root_hash };
    expectEqual(ready, agreeing, 'The marker .READY');
    expectEqual(namesIn(`${repo.control}/intents`), [], 'Intents after success');
    await ada.ok('verify', '--all');
  },
};
