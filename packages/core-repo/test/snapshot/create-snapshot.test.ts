import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { writePayload, PAYLOAD_VECTORS, type PayloadName } from '@jvs/testkit';
import { afterEach, describe, expect } from 'vitest';
import { createSnapshot } from '../../src/snapshot/create-snapshot.ts';
import { requireVisible } from '../../src/snapshot/visible.ts';
import { verifyAudit } from '../../src/verify/verify-audit.ts';
import { verifySnapshot } from '../../src/verify/verify-snapshot.ts';
import { acquireLock, lockStatus } from '../../src/worktree/locking.ts';
import { openWorktree } from '../../src/worktree/worktree.ts';
import { pretty } from '../fixtures/canonical.ts';
import { MANIFESTS } from '../fixtures/vectors.ts';
import { appendStateByHand, auditRecords, open, remains, slot, stateRecords, test } from '../fixtures/world.ts';
import type { Repository } from '../../src/repository.ts';

afterEach(disarmFailpoint);

function snapshotFiles(r: Repository): string[] {
  const { descriptors, manifests, snapshots, intents } = r.layout;
  return [descriptors, manifests, snapshots, intents].flatMap((folder) => readdirSync(folder));
}

describe('a snapshot', () => {
  test.for(['M0', 'M1', 'M2', 'M3'] as PayloadName[])(
    'of payload %s has its manifest, hash and stats',
    async (name, { fresh, main }) => {
      writePayload(main.path, name);
      await acquireLock(main);

      const descriptor = await createSnapshot(main, { note: 'first', tags: ['v1'] });

      const id = descriptor.snapshot_id;
      expect(descriptor).toMatchObject({
        parent_snapshot_id: null,
        worktree_name: 'main',
        note: 'first',
        tags: ['v1'],
        consistency_level: 'quiesced',
        integrity_state: 'verified',
        fencing_token: 2,
        payload_root_hash: { algo: 'sha256', value: PAYLOAD_VECTORS[name].rootHash },
        payload_stats: PAYLOAD_VECTORS[name].stats,
      });
      expect(Number(id.slice(0, 13))).toBe(Date.parse(descriptor.created_at));
      expect(readFileSync(fresh.layout.manifest(id), 'latin1')).toBe(MANIFESTS[name]);
      expect(readFileSync(fresh.layout.descriptor(id), 'utf8')).toBe(pretty(descriptor));
      expect(remains(fresh, id)).toEqual(['tree', 'descriptor', 'manifest']);
      expect(await requireVisible(fresh, id)).toEqual(descriptor);
      expect(await verifySnapshot(fresh, id)).toMatchObject({ payload_hash_valid: true, tamper_detected: false });
    },
  );

  test('moves the head by one record, which the audit tells of', async ({ fresh, main }) => {
    await acquireLock(main);
    const first = await createSnapshot(main);
    const anchor = auditRecords(fresh).at(-1)?.record_hash;
    const second = await createSnapshot(main, { note: 'a\ud800' });

    expect(second).toMatchObject({ parent_snapshot_id: first.snapshot_id, audit_anchor: anchor, note: 'a\ufffd' });
    expect(stateRecords(fresh).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'head', 'head']);
    expect(stateRecords(fresh).at(-1)).toMatchObject({
      head_snapshot_id: second.snapshot_id,
      lock: { fencing_token: 2 },
    });
    expect(auditRecords(fresh).at(-1)).toMatchObject({
      operation: 'snapshot',
      target: second.snapshot_id,
      snapshot_id: second.snapshot_id,
      fencing_token: 2,
      details: { descriptor_checksum: second.descriptor_checksum.value, worktree: 'main' },
    });
    expect(await verifyAudit(fresh)).toMatchObject({ valid: true, audit_missing: [] });
  });

  test('needs the lock', async ({ dir, fresh, main }) => {
    await expect(createSnapshot(main)).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    await acquireLock(main);

    const bobs = await openWorktree(await open(dir, 'bob'), 'main');
    await expect(createSnapshot(bobs)).rejects.toMatchObject({ code: 'E_LOCK_NOT_HELD' });
    await expect(createSnapshot(bobs, { lock: true })).rejects.toMatchObject({ code: 'E_LOCK_CONFLICT' });
    expect(snapshotFiles(fresh)).toEqual([]);
  });

  test('may take the lock for itself alone', async ({ fresh, main }) => {
    await createSnapshot(main, { lock: true });

    expect(stateRecords(fresh).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'head', 'release']);
    expect(await lockStatus(main)).toMatchObject({ state: 'free' });
    expect(await verifyAudit(fresh)).toMatchObject({ valid: true, audit_missing: [] });
  });

  test('takes its own expired lock up again, on the record', async ({ fresh, main }) => {
    await acquireLock(main);
    const file = `${fresh.layout.state(main.id)}/${slot(2)}`;
    const past = Date.now() / 1000 - 301;
    utimesSync(file, past, past);
    const tokens: number[] = [];

    const { fencing_token } = await createSnapshot(main, {
      onLockRenewed: ({ lock }) => tokens.push(lock.fencing_token),
    });

    expect([tokens, fencing_token]).toEqual([[3], 3]);
    expect(stateRecords(fresh).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'steal', 'head']);
    expect(await verifyAudit(fresh)).toMatchObject({ valid: true, audit_missing: [] });
  });

  test.for(['.jvs', '.READY'])('of a payload with %s in its root is refused', async (name, { fresh, main }) => {
    writeFileSync(`${main.path}/${name}`, '');
    await acquireLock(main);

    await expect(createSnapshot(main)).rejects.toMatchObject({
      code: 'E_PAYLOAD_UNSUPPORTED',
      details: { paths: [name] },
    });
    expect(snapshotFiles(fresh)).toEqual([]);
  });

  test('is not given a tag that is no name', async ({ main }) => {
    await acquireLock(main);

    await expect(createSnapshot(main, { tags: ['../v1'] })).rejects.toMatchObject({ code: 'E_NAME_INVALID' });
  });

  test('keeps links as they are, even ones that lead nowhere', async ({ fresh, main }) => {
    symlinkSync('/etc/passwd', `${main.path}/link`);
    await acquireLock(main);

    const { payload_stats, snapshot_id } = await createSnapshot(main);

    expect(payload_stats).toEqual({ files: 0, dirs: 0, symlinks: 1, bytes: 0 });
    expect(readdirSync(fresh.layout.snapshot(snapshot_id)).toSorted()).toEqual(['.READY', 'link']);
  });

  test('keeps the mode of a root that is closed to writing, and its time to the microsecond', async ({
    fresh,
    main,
  }) => {
    execFileSync('touch', ['-d', '2021-03-04T05:06:07.123456Z', main.path]);
    chmodSync(main.path, 0o555);
    await acquireLock(main);

    const { snapshot_id } = await createSnapshot(main);
    chmodSync(main.path, 0o755);

    const root = lstatSync(fresh.layout.snapshot(snapshot_id), { bigint: true });
    expect([root.mode & 0o7777n, root.mtimeNs]).toEqual([0o555n, 1_614_834_367_123_456_000n]);
    expect(await verifySnapshot(fresh, snapshot_id)).toMatchObject({ payload_hash_valid: true });
  });

  test('lists nothing that was there only while it was being made', async ({ fresh, main }) => {
    mkdirSync(`${main.path}/d`);
    writeFileSync(`${main.path}/d/file`, 'file');
    await acquireLock(main);
    let reports = 0;

    const { payload_stats, snapshot_id } = await createSnapshot(main, {
      onProgress: (event) => {
        if (event.type === 'phase' && event.phase === 'copying') writeFileSync(`${main.path}/d/file.tmp`, 'half');
        if (event.type === 'advanced' && (reports += 1) === 1) rmSync(`${main.path}/d/file.tmp`);
      },
    });

    expect(reports).toBeGreaterThan(0);
    expect(payload_stats).toEqual({ files: 1, dirs: 1, symlinks: 0, bytes: 4 });
    expect(readFileSync(fresh.layout.manifest(snapshot_id), 'latin1')).not.toContain('file.tmp');
    expect(readdirSync(`${fresh.layout.snapshot(snapshot_id)}/d`)).toEqual(['file']);
    expect(await verifySnapshot(fresh, snapshot_id)).toMatchObject({ payload_hash_valid: true });
  });
});

const BEFORE_COMMIT = [
  'begin',
  'intent',
  'clone',
  'manifest',
  'metadata',
  'compose',
  'manifest-link',
  'ready',
  'rename',
  'descriptor',
];

describe('a snapshot that fails', () => {
  test.for(BEFORE_COMMIT)('after %s leaves nothing', async (step, { fresh, main }) => {
    writePayload(main.path, 'M1');
    await acquireLock(main);
    armFailpoint(`publish:${step}`, () => {
      throw new Error('no more');
    });

    await expect(createSnapshot(main)).rejects.toThrow('no more');

    expect(snapshotFiles(fresh)).toEqual([]);
    expect(readdirSync(fresh.layout.tmp)).toEqual([]);
    expect(stateRecords(fresh)).toHaveLength(2);
  });

  test.for(['manifest', 'ready', 'descriptor'])(
    'because another took the lock after %s leaves nothing',
    async (step, { fresh, main }) => {
      writePayload(main.path, 'M1');
      await acquireLock(main);
      armFailpoint(`publish:${step}`, () => {
        disarmFailpoint();
        const [, held] = stateRecords(fresh);
        appendStateByHand(fresh, { kind: 'steal', lock: { ...held?.lock, fencing_token: 3, session_id: 'bob@host' } });
      });

      await expect(createSnapshot(main)).rejects.toMatchObject({
        code: 'E_FENCING_MISMATCH',
        details: { our_token: 2, current_token: 3 },
      });

      expect(snapshotFiles(fresh)).toEqual([]);
      expect(stateRecords(fresh).at(-1)).toMatchObject({ kind: 'steal', head_snapshot_id: null });
    },
  );

  test('because its own session moved the head leaves nothing of its own', async ({ fresh, main }) => {
    writePayload(main.path, 'M1');
    await acquireLock(main);
    armFailpoint('publish:descriptor', () => {
      disarmFailpoint();
      appendStateByHand(fresh, { kind: 'head', head_snapshot_id: '1771578748123-0a1b2c3d' });
    });

    await expect(createSnapshot(main)).rejects.toMatchObject({ code: 'E_HEAD_MOVED' });
    expect(snapshotFiles(fresh)).toEqual([]);
  });

  test('because the record before it cannot be audited leaves nothing', async ({ fresh, main }) => {
    writePayload(main.path, 'M1');
    await acquireLock(main);
    armFailpoint('publish:ready', () => {
      disarmFailpoint();
      // The audit record of the lock is gone, and what a new one would follow is damaged.
      unlinkSync(`${fresh.layout.audit}/${slot(2)}`);
      writeFileSync(`${fresh.layout.audit}/${slot(1)}`, 'damaged\n');
    });

    await expect(createSnapshot(main)).rejects.toMatchObject({ code: 'E_AUDIT_CHAIN_BROKEN' });

    expect(snapshotFiles(fresh)).toEqual([]);
    expect(stateRecords(fresh)).toHaveLength(2);
  });

  test.for(['commit', 'audit', 'intent-unlink'])('after %s has been published', async (step, { fresh, main }) => {
    writePayload(main.path, 'M1');
    await acquireLock(main);
    armFailpoint(`publish:${step}`, () => {
      throw new Error('killed here');
    });
    await expect(createSnapshot(main)).rejects.toThrow('killed here');
    disarmFailpoint();

    const head = stateRecords(fresh).at(-1)?.head_snapshot_id ?? '';
    await expect(requireVisible(fresh, head)).resolves.toMatchObject({ snapshot_id: head });
    expect(await verifyAudit(fresh)).toMatchObject({ valid: true });
    const next = await createSnapshot(main);
    expect(next.parent_snapshot_id).toBe(head);
    expect(await verifyAudit(fresh)).toMatchObject({ valid: true, audit_missing: [] });
  });
});
