import { readFileSync } from 'node:fs';
import { canonical, hashWithout, pretty, sha256 } from '../canonical.ts';
import type { Check } from '../check.ts';
import { expectEqual, expectMatch, expectThat } from '../expectations.ts';
import { auditRecords, readJson, slot, type AuditRecord, type StateRecord } from '../repository-files.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export const init: Check = {
  number: 27,
  title: 'init',
  expected: 'valid worktrees/main/config.json and state record 1',
  run: async (c) => {
    const { repo } = await c.repository();
    const read = (name: string): string => readFileSync(`${repo.control}/${name}`, 'utf8');
    expectEqual(read('format_version'), '1\n', 'format_version');
    const repoId = read('repo_id');
    expectMatch(repoId.replace(/\n$/, ''), UUID, 'repo_id');

    const text = read('worktrees/main/config.json');
    const config = JSON.parse(text) as Record<string, unknown>;
    const keys = ['worktree_id', 'isolation', 'created_at', 'base_snapshot_id', 'label'];
    expectEqual(Object.keys(config), keys, 'The keys of config.json');
    expectEqual(text, pretty(config), 'config.json, as two spaces and a final newline write it');
    const { worktree_id: id, isolation, created_at, base_snapshot_id, label } = config;
    expectMatch(id, UUID, 'worktree_id');
    expectMatch(created_at, TIME, 'created_at');
    expectEqual(
      { isolation, base_snapshot_id, label },
      { isolation: 'exclusive', base_snapshot_id: null, label: null },
      'The rest of config.json',
    );

    const path = slot(`${repo.control}/state/${String(id)}`, 1);
    const record = readJson<StateRecord>(path);
    expectEqual(readFileSync(path, 'utf8'), `${canonical(record)}\n`, 'State record 1, as one JCS line');
    const { seq, kind, prev_hash, head_snapshot_id, lock, pending, worktree, worktree_id } = record;
    expectEqual(
      { seq, kind, prev_hash, head_snapshot_id, lock, pending, worktree, worktree_id },
      {
        seq: 1,
        kind: 'create',
        prev_hash: '',
        head_snapshot_id: null,
        lock: null,
        pending: null,
        worktree: 'main',
        worktree_id: id,
      },
      'State record 1',
    );
    expectEqual(record.record_hash, hashWithout(record, 'record_hash'), 'record_hash of state record 1');
    expectMatch(record.event_id, UUID, 'event_id of state record 1');
    expectMatch(record.at, TIME, 'at of state record 1');
    expectThat(record.actor.split(':').length === 4, `The actor must be host:user:pid:start_time: ${record.actor}`);
    expectFirstAudit(auditRecords(repo), record.event_id, { repo_id: repoId.trim(), object_sha256: sha256(text) });
  },
};

function expectFirstAudit([first, ...rest]: AuditRecord[], eventId: string, details: Record<string, unknown>): void {
  expectEqual(rest.length, 0, 'The number of further audit records');
  const found = [first?.operation, first?.event_id, first?.details['repo_id'], first?.details['object_sha256']];
  const wanted = ['repo_init', eventId, details['repo_id'], details['object_sha256']];
  expectEqual(found, wanted, 'Operation, event and details of audit record 1');
}
