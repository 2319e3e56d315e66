import { existsSync, mkdirSync, readFileSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';

import {
  auditLog,
  auditRecords,
  readJson,
  slot,
  stateLog,
  stateRecords,
  test,
  type AuditRecord,
  type RepositoryFiles,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { canonical, hashWithout, recordLine, sha256 } from './canonical.ts';

const UUID = '3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5b';

describe('records', () => {
  test('are canonical lines, gapless, linked, each with its own hash', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'second']);
    await ada.ok(['lock', 'renew']);
    await ada.ok(['lock', 'release']);

    for (const log of [stateLog(saved), stateLog(saved, 'second'), auditLog(saved)]) {
      let previous = '';
      for (let seq = 1; ; seq++) {
        const bytes = readOrUndefined(slot(log, seq));
        if (bytes === undefined) break;
        const record = JSON.parse(bytes) as AuditRecord;
        expect(bytes).toBe(`${canonical(record)}\n`);
        expect(record).toMatchObject({ seq, prev_hash: previous, record_hash: hashWithout(record, 'record_hash') });
        previous = record.record_hash;
      }
      expect(previous).not.toBe('');
    }
  });

  test('of the state each have one audit record with the same event_id', async ({ saved, ada }) => {
    await ada.ok(['restore', saved.id, '--name', 'second']);
    await ada.ok(['lock', 'release']);

    const audited = auditRecords(saved).map(({ event_id }) => event_id);

    expect(new Set(audited).size).toBe(audited.length);
    for (const worktree of ['main', 'second']) {
      const events = stateRecords(saved, worktree).map(({ event_id }) => event_id);
      expect(audited).toEqual(expect.arrayContaining(events));
    }
  });

  test('tell what was done, in order', async ({ saved, ada }) => {
    await ada.ok(['restore', saved.id, '--name', 'second']);
    await ada.ok(['worktree', 'create', 'third']);
    await ada.ok(['lock', 'renew']);
    await ada.ok(['lock', 'release']);

    expect(stateRecords(saved).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'head', 'release']);
    expect(stateRecords(saved, 'second').map(({ kind }) => kind)).toEqual(['create', 'end']);
    const done = auditRecords(saved).map(({ operation, details }) => [operation, details['phase'], details['outcome']]);
    const plain = (operation: string) => [operation, undefined, undefined];
    expect(done.slice(0, 3)).toEqual(['repo_init', 'lock_acquire', 'snapshot'].map(plain));
    expect(done[3]).toEqual(['restore', 'begin', undefined]);
    expect(done[4]).toEqual(['restore', 'end', 'done']);
    expect(done[5]).toEqual(['worktree_create', 'begin', undefined]);
    expect(done[6]).toEqual(['worktree_create', 'end', 'done']);
    expect(done.slice(7)).toEqual(['lock_renew', 'lock_release'].map(plain));
  });

  test('of the audit vouch for the worktree that they create', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'second', '--label', 'spare']);

    const begun = auditRecords(saved).find(({ operation }) => operation === 'worktree_create');
    const config = readFileSync(`${saved.control}/worktrees/second/config.json`);
    expect(begun?.details['object_sha256']).toBe(sha256(config));
    expect(begun).toMatchObject({ target: 'second', condemned_plan: null });
  });

  test('never hold a nonce', async ({ dir, saved }) => {
    const lock = stateRecords(saved).at(-1)?.lock;
    const repoId = readFileSync(`${saved.control}/repo_id`, 'utf8').trim();
    const credentials = `${dir}/home-ada/state/jvs/${repoId}/${lock?.lock_id}.json`;
    const { nonce } = readJson<{ nonce: string }>(credentials);

    const everything = [...stateRecords(saved), ...auditRecords(saved)].map((record) => JSON.stringify(record)).join();
    expect(nonce.length).toBeGreaterThanOrEqual(16);
    expect(everything).not.toContain(nonce);
  });

  test('stay below 64 KiB: long texts are cut, and that is said', async ({ repo, ada }) => {
    await ada.ok(['lock', 'acquire', '--purpose', 'x'.repeat(100_000)]);

    expect(readFileSync(slot(stateLog(repo), 2)).length).toBeLessThanOrEqual(64 * 1024);
    expect(readFileSync(slot(auditLog(repo), 2)).length).toBeLessThanOrEqual(64 * 1024);
    expect(auditRecords(repo)[1]?.details['truncated']).toBeTruthy();
    await ada.ok(['audit', 'verify']);
  });
});

test('appends of many writers at once make one gapless chain', async ({ repo, ada }) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];

  await Promise.all(names.map(async (name) => ada.ok(['worktree', 'create', name])));

  const records = auditRecords(repo);
  expect(records.map(({ seq }) => seq)).toEqual(records.map((_, index) => index + 1));
  expect(records).toHaveLength(1 + 2 * names.length);
  expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true, count: records.length });
});

describe('segments', () => {
  test('are read in place of the slots they cover', async ({ saved, ada }) => {
    const records = lengthenAudit(saved, 330);
    foldBucket(saved, records);

    expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true, count: 330 });
    expect(await ada.json<unknown[]>(['audit', 'show'])).toHaveLength(330);
    await ada.ok(['snapshot', 'on top of a folded log']);
    expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true, count: 331 });
  });

  test('win over a slot that differs, which is garbage: a warning', async ({ saved, ada }) => {
    const records = lengthenAudit(saved, 330);
    foldBucket(saved, records);
    writeFileSync(slot(auditLog(saved), 7), recordLine({ ...records[6], details: { forged: true } }));

    expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true, count: 330 });
    const report = await ada.json<{ healthy: boolean; findings: { severity: string }[] }>(['doctor', '--strict']);
    expect(report.healthy).toBe(true);
    expect(report.findings.map(({ severity }) => severity)).toContain('warning');
  });

  test('that are not whole cost no record when runtime is repaired', async ({ saved, ada }) => {
    const records = lengthenAudit(saved, 330);
    const lines = records.slice(0, 100).map((record) => `${canonical(record)}\n`);
    const segment = `${auditLog(saved)}/audit-000000000001-000000000256.jsonl`;
    writeFileSync(segment, lines.join(''));

    await ada.run(['doctor', '--repair-runtime']);

    for (let seq = 1; seq <= 330; seq++) expect(existsSync(slot(auditLog(saved), seq))).toBe(true);
    unlinkSync(segment);
    expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true, count: 330 });
  });

  test('are made by the repair of runtime, and only their own names are theirs', async ({ saved, ada }) => {
    const records = lengthenAudit(saved, 330);
    writeFileSync(`${auditLog(saved)}/audit-000000000257-000000000512.jsonl.orig`, 'a copy of an editor\n');

    await ada.ok(['doctor', '--repair-runtime']);

    const expected = records.slice(0, 256).map((record) => `${canonical(record)}\n`);
    expect(readFileSync(`${auditLog(saved)}/audit-000000000001-000000000256.jsonl`, 'utf8')).toBe(expected.join(''));
    expect(existsSync(slot(auditLog(saved), 256))).toBe(false);
    expect(existsSync(slot(auditLog(saved), 257))).toBe(true);
    expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true });
  });

  test('that were damaged break the chain', async ({ saved, ada }) => {
    const records = lengthenAudit(saved, 330);
    foldBucket(saved, records.with(99, { ...at(records, 99), target: 'forged' }));

    await ada.fails(['audit', 'verify'], 'E_AUDIT_CHAIN_BROKEN');
  });
});

describe('a broken log', () => {
  test('slots beyond a gap are never read, and mean a broken chain', async ({ saved, ada }) => {
    const records = auditRecords(saved);
    writeFileSync(slot(auditLog(saved), 9), recordLine({ ...at(records, 2), seq: 9 }));

    await ada.fails(['audit', 'verify'], 'E_AUDIT_CHAIN_BROKEN');
    const report = await ada.unhealthy<{ findings: { code: string; severity: string }[] }>(['doctor', '--strict']);
    expect(report.findings).toContainEqual(
      expect.objectContaining({ code: 'E_AUDIT_CHAIN_BROKEN', severity: 'error' }),
    );
  });

  test('a tip with a foreign prev_hash stops every writer', async ({ saved, ada }) => {
    const records = stateRecords(saved);
    const foreign = { ...at(records, 2), seq: 4, event_id: UUID, prev_hash: 'f'.repeat(64) };
    writeFileSync(slot(stateLog(saved), 4), recordLine(foreign));

    await ada.fails(['snapshot'], 'E_AUDIT_CHAIN_BROKEN');
    await ada.fails(['lock', 'release'], 'E_AUDIT_CHAIN_BROKEN');
    const verified = await ada.run(['verify', '--all']);
    expect(verified.exitCode).toBe(1);
  });

  test.for([
    ['cut short', (bytes: string) => bytes.slice(0, 40)],
    ['empty', () => ''],
    ['not JSON', () => 'not a record\n'],
    ['with another seq', (bytes: string) => recordLine({ ...(JSON.parse(bytes) as object), seq: 7 })],
    ['with an unknown key', (bytes: string) => recordLine({ ...(JSON.parse(bytes) as object), more: 1 })],
    ['with a hash that does not fit', (bytes: string) => bytes.replace('"reason":null', '"reason":"forged"')],
  ] as const)('a state record %s is E_AUDIT_CHAIN_BROKEN', async ([, damage], { saved, ada }) => {
    const path = slot(stateLog(saved), 3);
    writeFileSync(path, damage(readFileSync(path, 'utf8')));

    await ada.fails(['snapshot'], 'E_AUDIT_CHAIN_BROKEN');
    const report = await ada.unhealthy<{ findings: { code: string }[] }>(['doctor', '--strict']);
    expect(report.findings.map(({ code }) => code)).toContain('E_AUDIT_CHAIN_BROKEN');
  });

  test.for([
    ['a number without bounds', '"reason":1e999'],
    ['half a character', '"reason":"\\ud800"'],
  ] as const)(
    'a record with %s, which nothing can hash, is E_AUDIT_CHAIN_BROKEN',
    async ([, forged], { saved, ada }) => {
      for (const path of [slot(auditLog(saved), 2), slot(stateLog(saved), 2)]) {
        const bytes = readFileSync(path, 'utf8');
        writeFileSync(path, bytes.replace('"reason":null', forged));
      }

      await ada.fails(['audit', 'verify'], 'E_AUDIT_CHAIN_BROKEN');
      expect((await ada.run(['verify', '--all'])).stderr).toMatch(/^jvs: E_AUDIT_CHAIN_BROKEN: /m);
      for (const flags of [['doctor'], ['doctor', '--strict']]) {
        const report = await ada.unhealthy<{ findings: { code: string }[] }>(flags);
        expect(report.findings.map(({ code }) => code)).toContain('E_AUDIT_CHAIN_BROKEN');
      }
    },
  );

  test('a state log without records is corruption, and doctor names it', async ({ saved, ada }) => {
    rmSync(stateLog(saved), { recursive: true });
    mkdirSync(stateLog(saved));

    const result = await ada.run(['snapshot']);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/^jvs: E_(?!INTERNAL)[A-Z_]+: /m);
    const report = await ada.unhealthy<{ healthy: boolean }>(['doctor', '--strict']);
    expect(report.healthy).toBe(false);
  });
});

/** Appends renewals, which need no state record, until the chain has `length` records, all of them two days old. */
function lengthenAudit(repo: RepositoryFiles, length: number): AuditRecord[] {
  const records = auditRecords(repo);
  while (records.length < length) {
    const seq = records.length + 1;
    const event_id = `${seq.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
    const previous = at(records, records.length - 1);
    const renewal = { ...previous, seq, event_id, operation: 'lock_renew', target: 'main', snapshot_id: null };
    const line = recordLine({ ...renewal, details: {}, prev_hash: previous.record_hash });
    writeFileSync(slot(auditLog(repo), seq), line);
    records.push(JSON.parse(line) as AuditRecord);
  }
  const old = new Date(Date.now() - 48 * 3600 * 1000);
  for (const { seq } of records) utimesSync(slot(auditLog(repo), seq), old, old);
  return records;
}

/** Folds records 1 to 256 as the format describes it. */
function foldBucket(repo: RepositoryFiles, records: AuditRecord[]): void {
  const lines = records.slice(0, 256).map((record) => `${canonical(record)}\n`);
  writeFileSync(`${auditLog(repo)}/audit-000000000001-000000000256.jsonl`, lines.join(''));
  for (let seq = 1; seq <= 256; seq++) unlinkSync(slot(auditLog(repo), seq));
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`Nothing at ${index}`);
  return item;
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
