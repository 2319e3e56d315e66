import type { AuditRecord, Descriptor, Lock, StateRecord } from '@jvs/testkit';
import { describe, expect, test } from 'vitest';

import { hashWithout } from '../jvs/canonical.ts';
import { checkHistory } from './check-history.ts';
import type { FinalRepository } from './final-repository.ts';
import type { LoggedCommand } from './logged-command.ts';

const FIRST = '1771578748123-0000000a';
const SECOND = '1771578749123-0000000b';

/** A history that can be spoilt: alice on host a publishes and loses the lock to bob on host b, who publishes. */
interface Story {
  commands: LoggedCommand[];
  state: StateRecord[];
  audit: AuditRecord[];
  descriptors: Map<string, Descriptor>;
  tombstones: Map<string, Descriptor>;
  verified: Set<string>;
}

function story(): Story {
  const alice = lockOf('a0', 'host-a:root:1:1', 2, 'a0/1');
  const bob = lockOf('b0', 'host-b:root:2:2', 4, 'b0/1');
  const state = [
    stateOf({ seq: 1, kind: 'create', lock: null, head_snapshot_id: null, actor: 'host-a:root:9:9' }),
    stateOf({ seq: 2, kind: 'acquire', lock: alice, head_snapshot_id: null, actor: 'host-a:root:1:1' }),
    stateOf({ seq: 3, kind: 'head', lock: alice, head_snapshot_id: FIRST, actor: 'host-a:root:3:3' }),
    stateOf({ seq: 4, kind: 'steal', lock: bob, head_snapshot_id: FIRST, actor: 'host-b:root:2:2' }),
    stateOf({ seq: 5, kind: 'head', lock: bob, head_snapshot_id: SECOND, actor: 'host-b:root:4:4' }),
  ];
  const audit = state.map((record) =>
    auditOf({
      seq: record.seq,
      event_id: record.event_id,
      operation: { create: 'worktree_create', acquire: 'lock_acquire', steal: 'lock_steal' }[record.kind] ?? 'snapshot',
      fencing_token: record.lock?.fencing_token ?? null,
      snapshot_id: record.kind === 'head' ? record.head_snapshot_id : null,
    }),
  );
  const first = descriptorOf(FIRST, null, 2, 'a0/2');
  const second = descriptorOf(SECOND, FIRST, 4, 'b0/2');
  return {
    commands: [
      command('a0/1', ['lock', 'acquire'], 0, 10, { lock: { fencing_token: 2 } }),
      command('a0/2', ['snapshot', 'a0/2'], 20, 30, first),
      command('b0/1', ['lock', 'acquire'], 25, 60, { lock: { fencing_token: 4 } }),
      refused('a0/3', ['snapshot', 'a0/3'], 50, 70, 'E_FENCING_MISMATCH'),
      command('b0/2', ['snapshot', 'b0/2'], 80, 90, second),
      command('b0/3', ['status'], 95, 99, { head_snapshot_id: SECOND }),
    ],
    state,
    audit,
    descriptors: new Map([first, second].map((descriptor) => [descriptor.snapshot_id, descriptor])),
    tombstones: new Map(),
    verified: new Set([FIRST, SECOND]),
  };
}

function lockOf(session: string, holder: string, token: number, purpose: string): Lock {
  return {
    lock_id: `lock-${token}`,
    holder_id: holder,
    session_id: session,
    fencing_token: token,
    acquire_seq: 1,
    purpose,
    lease_duration_ms: 1000,
    renew_interval_ms: 333,
    max_clock_skew_ms: 2000,
    steal_grace_ms: 1000,
  };
}

type StateFields = Pick<StateRecord, 'seq' | 'kind' | 'lock' | 'head_snapshot_id' | 'actor'>;

function stateOf(fields: StateFields): StateRecord {
  const rest = {
    at: '',
    pending: null,
    prev_hash: '',
    record_hash: '',
    reason: null,
    worktree: 'main',
    worktree_id: 'id',
  };
  return { ...rest, ...fields, event_id: `event-${fields.seq}` };
}

function auditOf(fields: Partial<AuditRecord>): AuditRecord {
  return {
    seq: 0,
    event_id: '',
    operation: '',
    actor: '',
    timestamp: '',
    target: 'main',
    snapshot_id: null,
    condemned_plan: null,
    fencing_token: null,
    session_id: null,
    reason: null,
    details: {},
    prev_hash: '',
    record_hash: '',
    ...fields,
  };
}

function descriptorOf(id: string, parent: string | null, token: number, note: string): Descriptor {
  return {
    snapshot_id: id,
    worktree_id: 'id',
    worktree_name: 'main',
    parent_snapshot_id: parent,
    created_at: '',
    created_by: '',
    note,
    tags: [],
    engine: 'copy',
    degradations: [],
    consistency_level: 'quiesced',
    fencing_token: token,
    audit_anchor: '',
    payload_root_hash: { algo: 'sha256', value: '' },
    payload_stats: { files: 0, dirs: 0, symlinks: 0, bytes: 0 },
    descriptor_checksum: { algo: 'sha256', value: `checksum of ${id}` },
    integrity_state: 'verified',
  };
}

function command(id: string, words: string[], startedAt: number, at: number, told: object): LoggedCommand {
  const ending = { at, exitCode: 0, signal: null, stdout: JSON.stringify(told), stderr: '' };
  return { id, process: id.split('/')[0] ?? '', words, worktree: 'main', token: null, startedAt, ending };
}

function refused(id: string, words: string[], startedAt: number, at: number, code: string): LoggedCommand {
  const ending = { at, exitCode: 1, signal: null, stdout: '', stderr: `jvs: ${code}: no\n` };
  return { ...command(id, words, startedAt, at, {}), ending };
}

/** Links and hashes both logs again, as an honest writer of these records would have. */
function judge({ commands, state, audit, ...rest }: Story): string[] {
  const repository: FinalRepository = { states: [chain(state)], audit: chain(audit), ...rest };
  return checkHistory(commands, repository);
}

function chain<T extends { prev_hash: string; record_hash: string }>(records: readonly T[]): T[] {
  let prev_hash = '';
  return records.map((record) => {
    const linked = { ...record, prev_hash };
    prev_hash = hashWithout(linked, 'record_hash');
    return { ...linked, record_hash: prev_hash };
  });
}

function at<T>(list: T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`nothing at ${index}`);
  return found;
}

test('a history in which every promise is kept', () => {
  expect(judge(story())).toEqual([]);
});

test('a snapshot that was collected is missed by nobody', () => {
  const spoilt = story();
  spoilt.tombstones.set(FIRST, spoilt.descriptors.get(FIRST) ?? descriptorOf(FIRST, null, 2, 'a0/2'));
  spoilt.descriptors.delete(FIRST);
  spoilt.verified.delete(FIRST);

  expect(judge(spoilt)).toEqual([]);
});

test('a command that never learnt how it ended proves nothing', () => {
  const spoilt = story();
  spoilt.commands[3] = { ...at(spoilt.commands, 3), ending: undefined };

  expect(judge(spoilt)).toEqual([]);
});

/** What is done to the story, and what must be said of it. */
const SPOILT: [string, (told: Story) => void, RegExp][] = [
  [
    'two were told one token',
    (s) => void (s.commands[2] = command('b0/1', ['lock', 'acquire'], 25, 60, { lock: { fencing_token: 2 } })),
    /told token 2, which the log gives to somebody else/,
  ],
  [
    'a token is not its number',
    (s) => void (at(s.state, 3).lock = lockOf('b0', 'host-b:root:2:2', 3, 'b0/1')),
    /token that is not its number/,
  ],
  ['a lock is acquired that was held', (s) => void (at(s.state, 3).kind = 'acquire'), /takes a lock that was not free/],
  ['a free lock is stolen', (s) => void (at(s.state, 1).kind = 'steal'), /steals a lock that was free/],
  [
    'the holder changes in a head record',
    (s) => void (at(s.state, 2).lock = lockOf('b0', 'host-b:root:2:2', 4, 'b0/1')),
    /changes the holder/,
  ],
  ['a head is moved without a lock', (s) => void (at(s.state, 1).lock = null), /moves the head without a lock/],
  [
    'a head is moved from another host than the holder\u2019s',
    (s) => void (at(s.state, 4).actor = 'host-a:root:3:3'),
    /another host/,
  ],
  [
    'a head skips a snapshot',
    (s) => void s.descriptors.set(SECOND, descriptorOf(SECOND, null, 4, 'b0/2')),
    /skips a snapshot/,
  ],
  [
    'a head is published under an old token',
    (s) => void s.descriptors.set(SECOND, descriptorOf(SECOND, FIRST, 2, 'b0/2')),
    /foreign token/,
  ],
  ['a release moves the head', (s) => void (at(s.state, 3).head_snapshot_id = null), /moves the head/],
  ['an acknowledged snapshot is gone', (s) => void s.descriptors.delete(FIRST), /neither descriptor nor tombstone/],
  ['an acknowledged snapshot is damaged', (s) => void s.verified.delete(FIRST), /does not verify/],
  ['an acknowledged snapshot is not in the log', (s) => void s.state.pop(), /which the log has 0 times/],
  [
    'an acknowledged snapshot is not in the lineage',
    (s) => {
      at(s.state, 4).head_snapshot_id = FIRST;
    },
    /not in the lineage/,
  ],
  [
    'a refused snapshot is published',
    (s) => void (s.commands[4] = refused('b0/2', ['snapshot', 'b0/2'], 80, 90, 'E_HEAD_MOVED')),
    /refused with E_HEAD_MOVED and published/,
  ],
  [
    'a refused lock is taken',
    (s) => void (s.commands[0] = refused('a0/1', ['lock', 'acquire'], 0, 10, 'E_LOCK_CONFLICT')),
    /refused with E_LOCK_CONFLICT and has record 2/,
  ],
  ['a state record has no audit record', (s) => void s.audit.splice(2, 1), /main record 3 has no audit record/],
  [
    'a renewal has no audit record',
    (s) => void s.commands.push(command('b0/4', ['lock', 'renew'], 91, 92, { lock: { fencing_token: 4 } })),
    /renewed token 4/,
  ],
  ['a number is missing in a log', (s) => void s.audit.splice(0, 1), /audit record 2 stands at place 1/],
  [
    'what came later is older in the log',
    (s) => {
      s.commands[0] = command('a0/1', ['lock', 'acquire'], 62, 65, { lock: { fencing_token: 2 } });
      s.commands[1] = command('a0/2', ['snapshot', 'a0/2'], 66, 68, at([...s.descriptors.values()], 0));
    },
    /began after b0\/1 had ended/,
  ],
  [
    'a reader sees the past',
    (s) => void (s.commands[5] = command('b0/3', ['status'], 95, 99, { head_snapshot_id: FIRST })),
    /saw a state that is none of records 5 to the end/,
  ],
  [
    'a reader sees the future',
    (s) => void (s.commands[5] = command('b0/3', ['status'], 40, 45, { head_snapshot_id: SECOND })),
    /saw a state that is none of records 3 to 4/,
  ],
  [
    'a renewal is granted to who has lost the lock',
    (s) => {
      s.commands.push(command('a0/4', ['lock', 'renew'], 62, 63, { lock: { fencing_token: 2 } }));
      s.audit.push(auditOf({ seq: 6, event_id: 'x', operation: 'lock_renew', fencing_token: 2, session_id: 'a0' }));
    },
    /saw a state that is none of records 4 to 4/,
  ],
  [
    'a worktree was made that is not there',
    (s) =>
      void s.commands.push({
        ...command('a0/5', ['worktree', 'create', 'red', '--from', FIRST], 31, 32, {}),
        worktree: null,
      }),
    /made red, whose log does not say so/,
  ],
  [
    'what a ref names was collected',
    (s) => {
      s.tombstones.set(FIRST, descriptorOf(FIRST, null, 2, 'a0/2'));
      s.verified.delete(FIRST);
      s.commands.push({ ...command('a0/6', ['ref', 'create', 'r', FIRST], 31, 32, {}), worktree: null });
      s.audit.push(auditOf({ seq: 6, event_id: 'x', operation: 'ref_create', target: 'r' }));
    },
    /needs .* which is not there any more/,
  ],
];

describe('a history in which', () => {
  test.for(SPOILT)('%s', ([, spoil, verdict]) => {
    const spoilt = story();

    spoil(spoilt);

    expect(judge(spoilt).join('\n')).toMatch(verdict);
  });

  test('a byte of a record was changed', () => {
    const { commands, state, audit, ...rest } = story();
    const [first, ...others] = chain(state);
    const states = [[{ ...(first ?? at(state, 0)), at: 'later' }, ...others]];

    expect(checkHistory(commands, { states, audit: chain(audit), ...rest })).toEqual([
      'main record 1 does not hash to its record_hash',
    ]);
  });
});
