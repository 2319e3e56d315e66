import { readFileSync } from 'node:fs';
import type { Check } from '../check.ts';
import { sha256 } from '../canonical.ts';
import { expectEqual } from '../expectations.ts';
import { auditRecords, namesIn, readJson } from '../repository-files.ts';

const BAD_NAMES = ['../x', 'a/b', '.hidden', '-dash', 'a..b', 'x.lock', 'x.tmp', 'HEAD', '1771578748123-0a1b2c3d', 'ä'];

interface Ref {
  ref_name: string;
  snapshot_id: string;
  event_id: string;
}

export const refs: Check = {
  number: 20,
  title: 'ref create, delete',
  expected: 'audited, names validated',
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository();
    const before = auditRecords(repo).length;

    await ada.ok('ref', 'create', 'v1.0', id, '--note', 'released');

    const folder = `${repo.control}/refs/v1.0`;
    const files = namesIn(folder);
    expectEqual(files.length, 1, 'The number of files of the ref');
    const ref = readJson<Ref>(`${folder}/${files[0]}`);
    const { ref_name, snapshot_id, event_id } = ref;
    expectEqual({ ref_name, snapshot_id }, { ref_name: 'v1.0', snapshot_id: id }, 'What the ref says');
    expectEqual(files[0], `${event_id}.json`, 'The name of the file of the ref');
    const created = auditRecords(repo).at(-1);
    const recorded = [created?.operation, created?.event_id, created?.snapshot_id, created?.details['object_sha256']];
    const wanted = ['ref_create', event_id, id, sha256(readFileSync(`${folder}/${files[0]}`))];
    expectEqual(recorded, wanted, 'Operation, event, snapshot and object of the audit record');
    const listed = await ada.json<Ref[]>('ref', 'list');
    const names = listed.map((each) => [each.ref_name, each.snapshot_id]);
    expectEqual(names, [['v1.0', id]], 'What ref list tells');
    await ada.refused('E_EXISTS', 'ref', 'create', 'v1.0', id);
    await ada.refused('E_EXISTS', 'ref', 'create', 'V1.0', id);

    for (const name of BAD_NAMES) {
      // `--` keeps a name that begins with a hyphen from being read as a flag.
      await ada.refused(['E_NAME_INVALID', 'E_PATH_ESCAPE'], 'ref', 'create', '--', name, id);
    }
    expectEqual(namesIn(`${repo.control}/refs`), ['v1.0'], 'The refs after names that are refused');

    await ada.ok('ref', 'delete', 'v1.0');
    expectEqual(namesIn(`${repo.control}/refs`), [], 'The refs after the deletion');
    expectEqual(await ada.json('ref', 'list'), [], 'What ref list tells after the deletion');
    const deleted = auditRecords(repo).at(-1);
    expectEqual([deleted?.operation, deleted?.target], ['ref_delete', 'v1.0'], 'The audit record of the deletion');
    await ada.refused('E_NOT_FOUND', 'ref', 'delete', 'v1.0');
    const operations = auditRecords(repo)
      .slice(before)
      .map(({ operation }) => operation);
    expectEqual(operations, ['ref_create', 'ref_delete'], 'All operations that were recorded');
    await ada.ok('audit', 'verify');
  },
};
