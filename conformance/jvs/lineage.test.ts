import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';

import { test, type Descriptor, type RepositoryFiles } from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { hashWithout, pretty } from './canonical.ts';
import { writeVectorRepository } from './vector-repository.ts';
import { D1, D2 } from './vectors.ts';

/** Gives a snapshot another parent, with every checksum made to fit. */
function setParent(repo: RepositoryFiles, descriptor: typeof D1, parent: string): void {
  const id = descriptor.snapshot_id;
  const changed = { ...descriptor, parent_snapshot_id: parent };
  const descriptor_checksum = {
    algo: 'sha256',
    value: hashWithout(changed, 'descriptor_checksum', 'integrity_state'),
  };
  writeFileSync(`${repo.control}/descriptors/${id}.json`, pretty({ ...changed, descriptor_checksum }));
  const ready = JSON.parse(readFileSync(`${repo.control}/snapshots/${id}/.READY`, 'utf8')) as object;
  writeFileSync(`${repo.control}/snapshots/${id}/.READY`, pretty({ ...ready, descriptor_checksum }));
}

describe('a lineage', () => {
  test('that is a cycle: history prints what it has and ends, doctor names it', async ({ dir, ada }) => {
    const repo = writeVectorRepository(`${dir}/vectors`);
    setParent(repo, D1, D2.snapshot_id);
    const user = ada.at(repo.main);

    const history = await user.run(['history'], { timeoutMs: 10_000 });
    const report = await user.unhealthy<{ findings: { code: string }[] }>(['doctor', '--strict'], {
      timeoutMs: 10_000,
    });

    expect(history.exitCode).toBe(1);
    expect(history.stdout).toContain(D1.snapshot_id);
    expect(history.stderr).toContain('jvs: E_LINEAGE_BROKEN: ');
    expect(report.findings.map(({ code }) => code)).toContain('E_LINEAGE_BROKEN');
    await user.run(['verify', 'HEAD~7'], { timeoutMs: 10_000 });
  });

  test('with a gap: history prints what it has and exits 1', async ({ dir, ada }) => {
    const repo = writeVectorRepository(`${dir}/vectors`);
    setParent(repo, D1, '1771578700000-00000000');
    const user = ada.at(repo.main);

    const history = await user.run(['history']);

    expect(history.exitCode).toBe(1);
    expect(history.stderr).toContain('jvs: E_LINEAGE_BROKEN: ');
    expect(history.stdout).toContain(D1.snapshot_id);
  });

  test('goes on behind a snapshot that was deleted and left a tombstone', async ({ saved, ada }) => {
    const second = await ada.json<Descriptor>(['snapshot', 'second']);
    const path = `${saved.control}/descriptors/${saved.id}.json`;
    mkdirSync(`${saved.control}/gc/tombstones`, { recursive: true });
    writeFileSync(
      `${saved.control}/gc/tombstones/${saved.id}.json`,
      pretty({
        snapshot_id: saved.id,
        plan_id: '3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5b',
        deleted_at: '2026-11-21T10:00:00.000Z',
        descriptor: JSON.parse(readFileSync(path, 'utf8')) as Descriptor,
      }),
    );
    unlinkSync(path);

    const history = await ada.run(['history']);

    expect(history).toMatchObject({ exitCode: 0 });
    expect(history.stdout).toContain(second.snapshot_id);
  });
});
