import { existsSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';

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

import { pretty, recordLine } from './canonical.ts';

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
  const descriptor = { ...readJson<Descriptor>(path), audit_anchor: 'a'.repeat(64) };
  writeFileSync(path, pretty(descriptor));

  expect(existsSync(path)).toBe(true);
  expect((await ada.run(['verify', '--all'])).exitCode).toBe(1);
});

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
