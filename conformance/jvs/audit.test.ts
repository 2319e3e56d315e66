import { readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';

import {
  auditLog,
  auditRecords,
  readJson,
  slot,
  stateRecords,
  test,
  type AuditRecord,
  type Descriptor,
  type RepositoryFiles,
  type User,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { canonical, hashWithout, pretty, recordLine } from './canonical.ts';

interface Report {
  healthy: boolean;
  findings: { category: string; code: string | null; severity: string }[];
}

describe('every mutating command has an audit record', () => {
  const commands: [string[], string][] = [
    [['snapshot', 'x'], 'snapshot'],
    [['lock', 'renew'], 'lock_renew'],
    [['lock', 'release'], 'lock_release'],
    [['restore', 'HEAD', '--name', 'again'], 'restore'],
    [['worktree', 'create', 'spare'], 'worktree_create'],
  ];

  test.for(commands)('%j', async ([args, operation], { saved, ada }) => {
    const before = auditRecords(saved).length;

    await ada.ok(args);

    const added = auditRecords(saved).slice(before);
    expect(added.length).toBeGreaterThan(0);
    expect(added.every((record) => record.operation === operation)).toBe(true);
    expect(added.at(-1)?.actor.split(':')).toHaveLength(4);
    await ada.ok(['audit', 'verify']);
  });

  test('commands that only read have none', async ({ saved, ada }) => {
    const commandsThatRead = [['info'], ['status'], ['history'], ['verify'], ['doctor'], ['lock', 'status']];
    for (const args of commandsThatRead) await ada.ok(args);

    expect(auditRecords(saved)).toHaveLength(3);
  });

  test('a snapshot says which worktree, and the checksum of its descriptor', ({ saved }) => {
    const descriptor = readJson<Descriptor>(`${saved.control}/descriptors/${saved.id}.json`);

    expect(auditRecords(saved).at(-1)).toMatchObject({
      operation: 'snapshot',
      target: saved.id,
      snapshot_id: saved.id,
      fencing_token: 2,
      session_id: descriptor.created_by.split(':').slice(0, 2).toReversed().join('@'),
      details: { descriptor_checksum: descriptor.descriptor_checksum.value, worktree: 'main' },
    });
  });
});

describe('tampering is E_AUDIT_CHAIN_BROKEN', () => {
  const rewrite = (repo: RepositoryFiles, seq: number, change: (record: AuditRecord) => object) => {
    const path = slot(auditLog(repo), seq);
    writeFileSync(path, recordLine(change(readJson<AuditRecord>(path))));
  };
  const attacks: [string, (repo: RepositoryFiles) => void][] = [
    ['an edited record', (repo) => edit(slot(auditLog(repo), 2), '"lock_acquire"', '"lock_forged!"')],
    [
      'an edited record with a hash that fits',
      (repo) => rewrite(repo, 2, (record) => ({ ...record, reason: 'forged' })),
    ],
    ['an edited last record with a hash that fits', (repo) => rewrite(repo, 5, (record) => ({ ...record, seq: 6 }))],
    ['a removed record', (repo) => unlinkSync(slot(auditLog(repo), 2))],
    ['a removed first record', (repo) => unlinkSync(slot(auditLog(repo), 1))],
    ['a record cut short', (repo) => writeFileSync(slot(auditLog(repo), 3), '{"actor":')],
    ['an empty record', (repo) => writeFileSync(slot(auditLog(repo), 3), '')],
    ['a tail of two snapshots cut off', (repo) => [5, 4].forEach((seq) => unlinkSync(slot(auditLog(repo), seq)))],
    [
      'a whole chain that vanished',
      (repo) => readdirSync(auditLog(repo)).forEach((n) => rmSync(`${auditLog(repo)}/${n}`)),
    ],
    [
      'an edited config.json',
      (repo) => edit(`${repo.control}/worktrees/main/config.json`, '"label": null', '"label": "x"'),
    ],
    ['another repo_id', (repo) => writeFileSync(`${repo.control}/repo_id`, '9d1f6c1e-8a52-4a0b-b6a7-3e5d2c1b0a98\n')],
  ];

  test.for(attacks)('%s', async ([, attack], { saved, ada }) => {
    await twoMoreSnapshots(ada);
    attack(saved);

    const error = await ada.fails(['audit', 'verify'], 'E_AUDIT_CHAIN_BROKEN');
    const report = await ada.unhealthy<Report>(['doctor', '--strict']);

    expect(error.hint).toBeTruthy();
    expect(report.findings.map(({ code }) => code)).toContain('E_AUDIT_CHAIN_BROKEN');
  });

  test('an object that disappeared although its record says nothing of a removal', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'spare']);
    rmSync(`${saved.control}/worktrees/spare`, { recursive: true });

    await ada.fails(['audit', 'verify'], 'E_AUDIT_CHAIN_BROKEN');
    expect((await ada.run(['verify', '--all'])).exitCode).toBe(1);
  });
});

describe('one newest record that is missing', () => {
  test('cannot be told from a crash: audit_missing, a warning, exit 0', async ({ saved, ada }) => {
    unlinkSync(slot(auditLog(saved), 3));

    expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true, count: 2 });
    await ada.ok(['verify', '--all']);
    const report = await ada.json<Report>(['doctor', '--strict']);
    expect(report.healthy).toBe(true);
    expect(report.findings).toContainEqual(expect.objectContaining({ category: 'audit_missing', severity: 'warning' }));
  });

  test('is written by the next command that appends, as recovered', async ({ saved, ada }) => {
    unlinkSync(slot(auditLog(saved), 3));

    await ada.ok(['lock', 'release']);

    const [, , recovered, released] = auditRecords(saved);
    expect(recovered).toMatchObject({
      operation: 'snapshot',
      event_id: stateRecords(saved)[2]?.event_id,
      snapshot_id: saved.id,
      details: { recovered: true },
    });
    expect(released).toMatchObject({ operation: 'lock_release' });
    await ada.ok(['audit', 'verify']);
  });

  test('is written by doctor --repair-runtime', async ({ saved, ada }) => {
    unlinkSync(slot(auditLog(saved), 3));

    await ada.ok(['doctor', '--repair-runtime']);

    expect(auditRecords(saved)[2]).toMatchObject({ details: { recovered: true }, snapshot_id: saved.id });
    expect(await ada.json<Report>(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
  });
});

test('an event that occurs twice is one event', async ({ saved, ada }) => {
  const last = auditRecords(saved).at(-1);
  const again = { ...last, seq: 4, prev_hash: last?.record_hash, details: { ...last?.details, recovered: true } };
  writeFileSync(slot(auditLog(saved), 4), recordLine(again));

  expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true });
});

test('an anchor that is not in the chain breaks it', async ({ saved, ada }) => {
  const path = `${saved.control}/descriptors/${saved.id}.json`;
  const forged = { ...readJson<Descriptor>(path), audit_anchor: 'a'.repeat(64) };
  const value = hashWithout(forged, 'descriptor_checksum', 'integrity_state');
  const descriptor_checksum = { algo: 'sha256', value };
  writeFileSync(path, pretty({ ...forged, descriptor_checksum }));
  const ready = `${saved.control}/snapshots/${saved.id}/.READY`;
  writeFileSync(ready, pretty({ ...readJson<object>(ready), descriptor_checksum }));

  const error = await ada.fails(['audit', 'verify'], 'E_AUDIT_CHAIN_BROKEN');

  expect(error.message).toContain(saved.id);
  await ada.ok(['verify', saved.id]);
});

describe('audit show', () => {
  test('lists a line an event, newest last; -n, --since and --operation choose', async ({ saved, ada }) => {
    await twoMoreSnapshots(ada);
    const all = auditRecords(saved);

    expect((await ada.ok(['audit', 'show'])).trimEnd().split('\n')).toHaveLength(5);
    expect(await ada.json(['audit', 'show'])).toEqual(all);
    expect(await ada.json(['audit', 'show', '-n', '2'])).toEqual(all.slice(-2));
    expect(await ada.json(['audit', 'show', '-n', '0'])).toEqual([]);
    expect(await ada.json(['audit', 'show', '--operation', 'snapshot'])).toEqual(all.slice(2));
    expect(await ada.json(['audit', 'show', '-n', '1', '--operation', 'lock_acquire'])).toEqual([all[1]]);
    expect(await ada.json(['audit', 'show', '--since', all[3]?.timestamp ?? ''])).toEqual(all.slice(3));
    expect(await ada.json(['audit', 'show', '--since', '2999-01-01'])).toEqual([]);
  });

  const refused: [string, string][] = [
    ['--operation', 'nonsense'],
    ['--since', '5'],
    ['--since', 'yesterday'],
    ['-n', 'many'],
  ];

  test.for(refused)('%s %s is a usage error', async ([flag, value], { saved, ada }) => {
    expect(await ada.at(saved.main).run(['audit', 'show', flag, value])).toMatchObject({ exitCode: 2, stdout: '' });
  });

  test('prints what it could read before it tells of a broken record', async ({ saved, ada }) => {
    await twoMoreSnapshots(ada);
    writeFileSync(slot(auditLog(saved), 3), 'nothing');

    const forwards = await ada.run(['audit', 'show']);
    const backwards = await ada.run(['audit', 'show', '-n', '4']);

    for (const { exitCode, stderr } of [forwards, backwards]) {
      expect(exitCode).toBe(1);
      expect(stderr).toContain('jvs: E_AUDIT_CHAIN_BROKEN: ');
    }
    expect(forwards.stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(backwards.stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(await ada.json(['audit', 'show', '-n', '2'])).toHaveLength(2);
  });

  test('says that a record is missing below those that are there, and which', async ({ saved, ada }) => {
    await twoMoreSnapshots(ada);
    rmSync(slot(auditLog(saved), 3));

    for (const words of [['show'], ['show', '-n', '1'], ['export']]) {
      const { exitCode, stdout, stderr } = await ada.run(['audit', ...words]);
      expect(exitCode).toBe(1);
      expect(stdout.trimEnd().split('\n')).toHaveLength(words.includes('-n') ? 1 : 2);
      expect(stderr).toContain('jvs: E_AUDIT_CHAIN_BROKEN: Record 3 of the audit log is missing');
    }
  });

  test('a reason cannot forge a line', async ({ saved, ada, bob }) => {
    await bob.ok(['lock', 'release', '--force', '--reason', 'tired\n     9  forged']);

    const lines = (await ada.at(saved.root).ok(['audit', 'show', '-n', '1'])).trimEnd().split('\n');

    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('(tired\\n     9  forged)');
  });
});

describe('audit export', () => {
  test('is one stream of segments and slots that checks itself in a few lines', async ({ saved, ada }) => {
    lengthen(saved, 600);
    foldFirstBuckets(saved, 2);

    const text = await ada.ok(['audit', 'export']);

    // What an auditor without jvs writes.
    let previous = '';
    let count = 0;
    for (const line of text.trimEnd().split('\n')) {
      const record = JSON.parse(line) as AuditRecord;
      count += 1;
      if (canonical(record) !== line) throw new Error(`line ${count} is not canonical`);
      if (record.seq !== count) throw new Error(`line ${count} says ${record.seq}`);
      if (record.prev_hash !== previous) throw new Error(`line ${count} does not follow`);
      if (hashWithout(record, 'record_hash') !== record.record_hash) throw new Error(`line ${count} was changed`);
      previous = record.record_hash;
    }
    expect(count).toBe(600);
    expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true, count: 600, head: previous });
  });

  test('of a broken chain ends where it breaks, and says so', async ({ saved, ada }) => {
    writeFileSync(slot(auditLog(saved), 2), 'nothing');

    const { exitCode, stdout, stderr } = await ada.run(['audit', 'export']);

    expect(exitCode).toBe(1);
    expect(stderr).toContain('E_AUDIT_CHAIN_BROKEN');
    expect(stdout.split('\n').filter((line) => line !== '').length).toBeLessThan(2);
  });
});

/** Appends records of renewals by hand until there are `total`. */
function lengthen(repo: RepositoryFiles, total: number): void {
  const [, , last] = auditRecords(repo);
  if (last === undefined) throw new Error('Too few audit records');
  const { record_hash: tip, ...fields } = last;
  let prev_hash = tip;
  for (let seq = last.seq + 1; seq <= total; seq += 1) {
    const event_id = `00000000-0000-4000-8000-${String(seq).padStart(12, '0')}`;
    const body = { ...fields, seq, prev_hash, event_id, operation: 'lock_renew', snapshot_id: null, details: {} };
    prev_hash = hashWithout(body, 'record_hash');
    writeFileSync(slot(auditLog(repo), seq), recordLine(body));
  }
}

/** Puts the slots of the first buckets of 256 into segments, as folding does. */
function foldFirstBuckets(repo: RepositoryFiles, count: number): void {
  const digits = (seq: number) => String(seq).padStart(12, '0');
  for (let first = 1; first <= count * 256; first += 256) {
    const paths = Array.from({ length: 256 }, (_, index) => slot(auditLog(repo), first + index));
    const lines = paths.map((path) => readFileSync(path, 'utf8')).join('');
    writeFileSync(`${auditLog(repo)}/audit-${digits(first)}-${digits(first + 255)}.jsonl`, lines);
    for (const path of paths) unlinkSync(path);
  }
}

async function twoMoreSnapshots(ada: User): Promise<void> {
  await ada.ok(['snapshot', 'second']);
  await ada.ok(['snapshot', 'third']);
}

function edit(path: string, from: string, to: string): void {
  const before = readFileSync(path, 'utf8');
  const after = before.replace(from, to);
  if (after === before) throw new Error(`${path} holds no ${from}`);
  writeFileSync(path, after);
}
