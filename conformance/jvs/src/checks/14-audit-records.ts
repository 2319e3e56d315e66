import { hashWithout } from '../canonical.ts';
import type { Check } from '../check.ts';
import type { CheckContext, SavedScene } from '../check-context.ts';
import { expectEqual, expectThat } from '../expectations.ts';
import { auditRecords, readLog, namesIn, type RepositoryFiles, type StateRecord } from '../repository-files.ts';

/** Commands in an order in which each succeeds, and the operation that each must record, last of those it records. */
const COMMANDS: readonly (readonly [operation: string, ...args: string[]])[] = [
  ['gc_plan', 'gc', 'plan'],
  ['lock_renew', 'lock', 'renew'],
  ['restore', 'restore', 'HEAD', '--inplace', '--force', '--reason', 'conformance'],
  ['lock_release', 'lock', 'release'],
  ['lock_acquire', 'lock', 'acquire'],
  ['snapshot', 'snapshot', 'second'],
  ['restore', 'restore', 'HEAD', '--name', 'restored'],
  ['worktree_create', 'worktree', 'create', 'empty'],
  ['worktree_create', 'worktree', 'create', 'copied', '--from', 'HEAD'],
  ['worktree_create', 'fork', 'HEAD', 'forked'],
  ['worktree_rename', 'worktree', 'rename', 'empty', 'renamed'],
  ['worktree_remove', 'worktree', 'remove', 'renamed'],
  ['ref_create', 'ref', 'create', 'release', 'HEAD'],
  ['ref_delete', 'ref', 'delete', 'release'],
];

export const auditRecordsOfCommands: Check = {
  number: 14,
  title: 'every mutating command',
  expected: 'has an audit record',
  run: async (c) => {
    const scene = await c.savedRepository();
    const { repo, ada, id } = scene;
    const first = auditRecords(repo).map(({ operation }) => operation);
    expectEqual(first, ['repo_init', 'lock_acquire', 'snapshot'], 'The operations of init, lock acquire, snapshot');

    for (const [operation, ...args] of COMMANDS) await records(scene, operation, args);
    const { pin_id } = await records<{ pin_id: string }>(scene, 'gc_pin', ['gc', 'pin', id, '--reason', 'kept']);
    await records(scene, 'gc_unpin', ['gc', 'unpin', pin_id]);
    await stealAndRepair(c, scene);

    const events = new Set(auditRecords(repo).map(({ event_id }) => event_id));
    for (const { seq, kind, worktree, event_id } of allStateRecords(repo)) {
      const isRecorded = events.has(event_id);
      expectThat(isRecorded, `State record ${seq} (${kind}) of worktree ${worktree} must have an audit record`);
    }
    await ada.ok('audit', 'verify');
  },
};

/** Runs a command and looks for what it adds to the audit chain. */
async function records<Document>({ repo, ada }: SavedScene, operation: string, args: string[]): Promise<Document> {
  const before = auditRecords(repo).length;
  const document = await ada.json<Document>(...args);
  const added = auditRecords(repo).slice(before);
  const operations = [...new Set(added.map((record) => record.operation))];
  // `fork` may be recorded as the restore that it is.
  const allowed = args[0] === 'fork' ? [operation, 'restore'] : [operation];
  const isRecorded = operations.length === 1 && allowed.includes(operations[0] ?? '');
  const said = ada.said(args);
  expectThat(isRecorded, `${said} must add ${operation} to the audit chain; it added ${JSON.stringify(operations)}`);
  for (const record of added) {
    expectEqual(record.record_hash, hashWithout(record, 'record_hash'), `record_hash of audit record ${record.seq}`);
  }
  return document;
}

async function stealAndRepair(c: CheckContext, { repo, ada, bob }: SavedScene): Promise<void> {
  await c.holderFallsSilent(repo);
  await bob.ok('lock', 'acquire');
  expectEqual(auditRecords(repo).at(-1)?.operation, 'lock_steal', 'The operation of a take-over');
  await bob.killedAt('publish:clone', 'snapshot', 'interrupted');
  await bob.ok('lock', 'release');
  await ada.ok('doctor', '--repair-runtime');
  expectEqual(auditRecords(repo).at(-1)?.operation, 'repair', 'The operation of a repair');
}

function allStateRecords({ control }: RepositoryFiles): StateRecord[] {
  return namesIn(`${control}/state`).flatMap((worktree) => readLog<StateRecord>(`${control}/state/${worktree}`));
}
