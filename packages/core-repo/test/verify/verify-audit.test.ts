import { mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import type { Repository } from '../../src/repository.ts';
import { verifyAll } from '../../src/verify/verify-all.ts';
import { verifyAudit } from '../../src/verify/verify-audit.ts';
import { createWorktree } from '../../src/worktree/create-worktree.ts';
import { canonical, hashWithout, pretty } from '../fixtures/canonical.ts';
import { AUDIT_RECORDS, CONFIG, D1, D2, describeSnapshot, LOCK, WORKTREE_ID } from '../fixtures/vectors.ts';
import { appendAuditByHand, appendStateByHand, slot, test, writeReady, writeSnapshot } from '../fixtures/world.ts';

const ANOTHER = '00000000-0000-4000-8000-00000000000f';
const audit = (r: Repository, seq: number) => `${r.layout.audit}/${slot(seq)}`;
const state = (r: Repository, seq: number) => `${r.layout.state(WORKTREE_ID)}/${slot(seq)}`;

describe('the chain of the test vectors', () => {
  test('is valid with all that it vouches for', async ({ vector }) => {
    expect(await verifyAudit(vector)).toEqual({
      valid: true,
      count: 3,
      head: AUDIT_RECORDS[2].record_hash,
      problems: [],
      chain_problems: [],
      audit_missing: [],
    });
    expect(await verifyAll(vector)).toMatchObject({
      tamper_detected: false,
      severity: 'info',
      chains: { problems: [] },
    });
  });

  test('of a repository with another id is not', async ({ vector }) => {
    expect(await verifyAudit({ ...vector, id: '00000000-0000-4000-8000-000000000099' })).toMatchObject({
      valid: false,
    });
  });
});

describe('the chain is broken by', () => {
  test.for([
    ['an edited record', (r) => rewrite(audit(r, 2), 'nightly run', 'weekly run')],
    ['a removed record', (r) => unlinkSync(audit(r, 2))],
    ['a removed first record', (r) => unlinkSync(audit(r, 1))],
    ['the removal of all', (r) => [1, 2, 3].forEach((seq) => unlinkSync(audit(r, seq)))],
    ['a record in another\u2019s place', (r) => renameSync(audit(r, 3), audit(r, 4))],
    ['a record rewritten with a right hash', (r) => rewriteRecord(audit(r, 2), { actor: 'somebody:else:1:1' })],
    ['an edited state record', (r) => rewrite(state(r, 2), '"session_id":"ada@build7"', '"session_id":"eve@build7"')],
    ['a removed state record', (r) => unlinkSync(state(r, 2))],
    ['a state record rewritten with a right hash', (r) => rewriteRecord(state(r, 2), { actor: 'somebody:else:1:1' })],
    ['a record beyond a gap', (r) => writeFileSync(audit(r, 9), '{}\n')],
    ['a state record beyond a gap', (r) => writeFileSync(state(r, 9), '{}\n')],
    [
      'an edited configuration',
      (r) => writeFileSync(r.layout.worktreeConfig('main'), pretty({ ...CONFIG, label: 'mine' })),
    ],
    ['a missing configuration', (r) => rmSync(r.layout.worktreeMeta('main'), { recursive: true })],
    [
      'an event that is missing for an older state',
      (r) => {
        appendStateByHand(r, { kind: 'release', lock: null });
        appendStateByHand(r, { kind: 'acquire', lock: { ...LOCK, lock_id: ANOTHER, fencing_token: 5 } });
      },
    ],
  ] as [string, (r: Repository) => void][])('%s', async ([, damage], { vector }) => {
    damage(vector);

    const verified = await verifyAudit(vector);

    expect(verified.valid).toBe(false);
    expect(verified.problems.length).toBeGreaterThan(0);
  });

  test('a lock whose token is not the number of its record', async ({ vector }) => {
    appendStateByHand(vector, { kind: 'steal', lock: { ...LOCK, lock_id: ANOTHER, fencing_token: 3 } });

    const { problems } = await verifyAudit(vector);

    expect(problems).toEqual([expect.stringMatching(/^state record 4 of worktree "main" has no new lock/)]);
  });

  test('a tail cut off behind which a snapshot was anchored', async ({ vector }) => {
    // D2 was made after audit record 3.
    unlinkSync(audit(vector, 3));

    expect(await verifyAudit(vector)).toMatchObject({
      valid: false,
      count: 2,
      problems: [expect.stringContaining(D2.snapshot_id)],
    });
  });

  test('a worktree that no record tells of', async ({ vector }) => {
    const worktreeId = '00000000-0000-4000-8000-00000000000e';
    mkdirSync(vector.layout.worktreeMeta('intruder'));
    writeFileSync(vector.layout.worktreeConfig('intruder'), pretty({ ...CONFIG, worktree_id: worktreeId }));
    mkdirSync(vector.layout.state(worktreeId));
    const first = {
      ...(JSON.parse(readFileSync(state(vector, 1), 'utf8')) as object),
      worktree: 'intruder',
      worktree_id: worktreeId,
    };
    writeFileSync(
      `${vector.layout.state(worktreeId)}/${slot(1)}`,
      `${canonical({ ...first, record_hash: hashWithout(first, 'record_hash') })}\n`,
    );

    expect(await verifyAudit(vector)).toMatchObject({ valid: false });
  });
});

describe('the chain is not broken by', () => {
  test('one missing record of the newest state, as a crash leaves it', async ({ vector }) => {
    appendStateByHand(vector, { kind: 'release', lock: null });

    expect(await verifyAudit(vector)).toMatchObject({ valid: true, audit_missing: ['main'], problems: [] });
  });

  test('an event told twice', async ({ vector }) => {
    appendAuditByHand(vector, { event_id: AUDIT_RECORDS[2].event_id });

    expect(await verifyAudit(vector)).toMatchObject({ valid: true, count: 4 });
  });

  test('a worktree that was created and is there', async ({ vector }) => {
    await createWorktree(vector, 'second', { from: D1.snapshot_id });

    expect(await verifyAudit(vector)).toMatchObject({ valid: true, count: 5, audit_missing: [] });
  });

  test.for(['audit.broken-20260101T000000Z', 'audit/peers/00000000-0000-4000-8000-0000000000f1'])(
    'an anchor in %s',
    async (place, { vector }) => {
      const record = { ...AUDIT_RECORDS[2], details: { from: 'elsewhere' } };
      const record_hash = hashWithout(record, 'record_hash');
      const descriptor = describeSnapshot({ snapshot_id: '1771578760000-cafe0001', audit_anchor: record_hash });
      writeSnapshot(vector.root, descriptor, 'M1');
      expect(await verifyAudit(vector)).toMatchObject({ valid: false });

      mkdirSync(`${vector.layout.control}/${place}`, { recursive: true });
      writeFileSync(`${vector.layout.control}/${place}/${slot(3)}`, `${canonical({ ...record, record_hash })}\n`);

      expect(await verifyAudit(vector)).toMatchObject({ valid: true, problems: [] });
    },
  );
});

describe('with everything, also found are', () => {
  test.for([
    [
      'a head that is gone',
      (r) => rmSync(r.layout.snapshot(D1.snapshot_id), { recursive: true }),
      'E_PARTIAL_SNAPSHOT',
      'main',
    ],
    ['a head without descriptor', (r) => rmSync(r.layout.descriptor(D1.snapshot_id)), 'E_NOT_FOUND', 'main'],
    [
      'an ancestor missing without tombstone',
      (r) => rmSync(r.layout.descriptor(D1.snapshot_id)),
      'E_LINEAGE_BROKEN',
      D2.snapshot_id,
    ],
    [
      'a cycle',
      (r) => {
        const own = describeSnapshot({ parent_snapshot_id: D1.snapshot_id });
        writeFileSync(r.layout.descriptor(D1.snapshot_id), pretty(own));
        writeReady(r.root, own);
      },
      'E_LINEAGE_BROKEN',
      D1.snapshot_id,
    ],
  ] as [string, (r: Repository) => void, string, string][])('%s', async ([, damage, code, subject], { vector }) => {
    damage(vector);

    const verified = await verifyAll(vector, { payload: false });

    expect(verified).toMatchObject({ tamper_detected: true, severity: 'critical' });
    expect(verified.chains.problems).toContainEqual(expect.objectContaining({ code, subject }));
  });

  test('a ref to nothing', async ({ vector }) => {
    mkdirSync(`${vector.layout.refs}/release`);
    const ref = {
      ref_name: 'release',
      snapshot_id: '1771578748123-00000000',
      created_at: '2026-02-20T09:13:00.000Z',
      created_by: 'build7:ada:4711:1771578700',
      note: '',
      event_id: WORKTREE_ID,
    };
    writeFileSync(`${vector.layout.refs}/release/${WORKTREE_ID}.json`, pretty(ref));

    const { refs, tamper_detected } = await verifyAll(vector, { payload: false });

    expect(refs).toEqual([{ name: 'release', snapshot_id: '1771578748123-00000000', valid: false }]);
    expect(tamper_detected).toBe(true);
  });

  test('an empty ref directory is no ref: a deletion was interrupted', async ({ vector }) => {
    mkdirSync(`${vector.layout.refs}/release`);

    expect(await verifyAll(vector, { payload: false })).toMatchObject({ refs: [], tamper_detected: false });
  });
});

function rewrite(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8');
  if (!text.includes(from)) throw new Error(`no ${from} in ${path}`);
  writeFileSync(path, text.replace(from, to));
}

function rewriteRecord(path: string, change: object): void {
  const record = { ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...change };
  writeFileSync(path, `${canonical({ ...record, record_hash: hashWithout(record, 'record_hash') })}\n`);
}
