import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';

import {
  auditLog,
  auditRecords,
  setHeartbeatBack,
  slot,
  stateLog,
  stateRecords,
  test,
  worktreeId,
  type SavedRepository,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { sha256 } from './canonical.ts';

interface Finding {
  category: string;
  code: string | null;
  severity: 'info' | 'warning' | 'error' | 'critical';
  path: string | null;
  description: string;
  repair: string | null;
}

interface Report {
  healthy: boolean;
  findings: Finding[];
  repairs: unknown[];
  kept: unknown[];
}

const DAY = 24 * 3600 * 1000;

describe('doctor', () => {
  test('of a healthy repository finds nothing, strict or not', async ({ saved, ada }) => {
    expect(await ada.json<Report>(['doctor'])).toMatchObject({ healthy: true, findings: [] });
    expect(await ada.json<Report>(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
    expect(await ada.ok(['doctor', '--strict'])).toMatch(/^Repository is healthy\.$/m);
    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('lists findings with severity, category and description', async ({ saved, ada }) => {
    renameSync(`${saved.main}`, `${saved.root}/moved-away`);

    const human = await ada.at(saved.root).run(['doctor']);
    const { healthy, findings } = await ada.at(saved.root).unhealthy<Report>(['doctor']);

    expect(healthy).toBe(false);
    expect(human.exitCode).toBe(1);
    expect(human.stdout).toMatch(/^Findings \(\d+\):\n {2}\[(info|warning|error|critical)\] \w+: .+/m);
    expect(Object.keys(findings[0] ?? {}).toSorted()).toEqual(
      ['category', 'code', 'description', 'path', 'repair', 'severity'].toSorted(),
    );
    expect(findings.map(({ path }) => path).join('\n')).toContain('main');
  });

  test('changes nothing unless asked to', async ({ saved, ada }) => {
    setHeartbeatBack(saved, 2 * DAY);
    mkdirSync(`${saved.control}/tmp/stray`);
    utimesSync(`${saved.control}/tmp/stray`, 1, 1);

    await ada.run(['doctor', '--strict']);

    expect(existsSync(`${saved.control}/tmp/stray`)).toBe(true);
    expect(stateRecords(saved)).toHaveLength(3);
  });
});

describe('doctor --repair-runtime', () => {
  test('of a healthy repository does nothing', async ({ saved, ada }) => {
    expect(await ada.json<Report>(['doctor', '--repair-runtime'])).toMatchObject({ healthy: true });
    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('releases a lock whose holder is gone, by evidence', async ({ saved, bob }) => {
    setHeartbeatBack(saved, 2 * DAY);

    const before = await bob.json<Report>(['doctor']);
    await bob.ok(['doctor', '--repair-runtime']);

    expect(before.findings.map(({ repair }) => repair)).toContain('clean_locks');
    expect(stateRecords(saved).at(-1)).toMatchObject({ kind: 'release', lock: null, head_snapshot_id: saved.id });
    expect(await bob.json<Report>(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
  });

  test('--dry-run tells what would be done and does nothing', async ({ saved, bob }) => {
    setHeartbeatBack(saved, 2 * DAY);
    rmSync(`${saved.control}/reserve`);

    const human = await bob.run(['doctor', '--repair-runtime', '--dry-run']);
    const json = await bob.run(['--json', 'doctor', '--repair-runtime', '--dry-run']);

    expect(human.stdout).toMatch(/^ *Would .+: .+/m);
    expect(JSON.parse(json.stdout)).toMatchObject({ dry_run: true });
    expect(existsSync(`${saved.control}/reserve`)).toBe(false);
    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('leaves a lock whose lease is alive', async ({ saved, bob }) => {
    await bob.ok(['doctor', '--repair-runtime']);

    expect(stateRecords(saved)).toHaveLength(3);
  });

  test('clears tmp/ of what is older than a day, and of nothing else', async ({ saved, ada }) => {
    const old = (Date.now() - 25 * 3600 * 1000) / 1000;
    for (const name of ['op-3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5b', '3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5c']) {
      mkdirSync(`${saved.control}/tmp/${name}/deep`, { recursive: true });
      writeFileSync(`${saved.control}/tmp/${name}/deep/file`, 'x');
      for (const path of ['/deep/file', '/deep', '']) utimesSync(`${saved.control}/tmp/${name}${path}`, old, old);
    }
    const intruder = `${saved.control}/tmp/op-3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5d`;
    mkdirSync(`${intruder}/intruder-3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5e`, { recursive: true });
    utimesSync(`${intruder}/intruder-3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5e`, old, old);
    utimesSync(intruder, old, old);
    writeFileSync(`${saved.control}/tmp/young`, 'x');

    await ada.ok(['doctor', '--repair-runtime']);

    expect(readdirSync(`${saved.control}/tmp`).toSorted()).toEqual([
      'op-3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5d',
      'young',
    ]);
  });

  test('writes a lost reserve again', async ({ saved, ada }) => {
    rmSync(`${saved.control}/reserve`);

    await ada.ok(['doctor', '--repair-runtime']);

    expect(statSync(`${saved.control}/reserve`).blocks * 512).toBeGreaterThanOrEqual(4 * 1024 * 1024);
  });

  test('removes what was left without intent: a tree in the making, a descriptor', async ({ saved, ada }) => {
    const stray = '1771578748123-0a1b2c3d';
    mkdirSync(`${saved.control}/snapshots/${stray}.tmp`);
    writeFileSync(`${saved.control}/snapshots/${stray}.tmp/file`, 'x');
    writeFileSync(`${saved.control}/manifests/1771578748123-0a1b2c3e.manifest`, '');

    const before = await ada.json<Report>(['doctor']);
    await ada.ok(['doctor', '--repair-runtime']);

    expect(before.findings.map(({ repair }) => repair)).toContain('clean_intents');
    expect(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
    expect(readdirSync(`${saved.control}/manifests`)).toEqual([`${saved.id}.manifest`]);
    await ada.ok(['verify', '--all']);
  });

  test('brings a migrated copy without runtime state to work', async ({ saved, ada, bob }) => {
    const runtime = ['intents', 'locks', 'tmp', 'reserve', 'cache'];
    for (const name of runtime) rmSync(`${saved.control}/${name}`, { recursive: true, force: true });

    expect(await bob.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
    await bob.ok(['doctor', '--repair-runtime']);

    await ada.ok(['snapshot', 'after the move']);
    expect(await ada.json<Report>(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
  });
});

describe('a descriptor without tree and intent', () => {
  test('that no head names is cleaned', async ({ saved, ada }) => {
    await ada.run(['snapshot'], { env: { JVS_FAILPOINT: 'publish:descriptor=kill' } });
    const id = otherThan(saved, `${saved.control}/snapshots`);
    rmSync(`${saved.control}/snapshots/${id}`, { recursive: true });
    rmSync(`${saved.control}/intents/${id}.json`);

    await ada.ok(['doctor', '--repair-runtime']);

    expect(readdirSync(`${saved.control}/descriptors`)).toEqual([`${saved.id}.json`]);
    expect(readdirSync(`${saved.control}/manifests`)).toEqual([`${saved.id}.manifest`]);
  });

  test('that is a head is corruption and stays', async ({ saved, ada }) => {
    rmSync(`${saved.control}/snapshots/${saved.id}`, { recursive: true });

    const { findings } = await ada.unhealthy<Report>(['doctor', '--strict']);
    await ada.run(['doctor', '--repair-runtime']);

    expect(findings).toContainEqual(expect.objectContaining({ code: 'E_PARTIAL_SNAPSHOT', severity: 'error' }));
    expect(readdirSync(`${saved.control}/descriptors`)).toEqual([`${saved.id}.json`]);
  });
});

describe('findings', () => {
  test('say what mends them, in a line of their own for people', async ({ saved, ada, bob }) => {
    setHeartbeatBack(saved, 2 * DAY);
    rmSync(`${saved.control}/manifests/${saved.id}.manifest`);

    const human = await bob.run(['doctor']);
    const { findings } = await bob.unhealthy<Report>(['doctor']);

    expect(human.stdout).toMatch(/\[error\] manifest_missing: .+\n {4}fix: jvs doctor --repair-runtime$/m);
    expect(human.stderr).toMatch(/^jvs: E_[A-Z_]+: /);
    expect(findings.find(({ category }) => category === 'manifest_missing')).toMatchObject({
      severity: 'error',
      repair: 'rebuild_manifest',
      path: `.jvs/manifests/${saved.id}.manifest`,
    });
    expect(await ada.json(['doctor', '--repair-runtime'])).toMatchObject({ healthy: true });
  });

  test('of several damages are all told: one hides no other', async ({ saved, ada }) => {
    await ada.ok(['worktree', 'create', 'second']);
    writeFileSync(`${saved.control}/worktrees/second/config.json`, 'nothing');
    writeFileSync(`${saved.control}/worktrees/.DS_Store`, '');
    writeFileSync(`${saved.control}/state/.nfs0001`, '');
    writeFileSync(`${saved.control}/snapshots/${saved.id}/hello.txt`, 'hellO\n');
    rmSync(slot(auditLog(saved), 2));

    const { findings } = await ada.unhealthy<Report>(['doctor', '--strict']);
    const told = findings.map(({ code, path }) => `${code} ${path}`);

    expect(told).toContain('E_DESCRIPTOR_CORRUPT .jvs/worktrees/second');
    expect(told).toContain(`E_PAYLOAD_HASH_MISMATCH .jvs/snapshots/${saved.id}`);
    expect(told).toContain('E_AUDIT_CHAIN_BROKEN .jvs/audit');
  });

  test('of --strict name paths that lead out of the repository', async ({ dir, saved, ada }) => {
    renameSync(`${saved.control}/snapshots/${saved.id}`, `${dir}/elsewhere`);
    symlinkSync(`${dir}/elsewhere`, `${saved.control}/snapshots/${saved.id}`);

    const { findings } = await ada.unhealthy<Report>(['doctor', '--strict']);

    expect(findings.map(({ code }) => code)).toContain('E_PATH_ESCAPE');
  });

  test('of --strict tell of a ref and of a pin that lead nowhere', async ({ saved, ada }) => {
    const second = (await ada.json<{ snapshot_id: string }>(['snapshot', 'second'])).snapshot_id;
    await ada.ok(['ref', 'create', 'release', second]);
    await ada.ok(['gc', 'pin', second, '--reason', 'why']);
    for (const path of [`descriptors/${second}.json`, `snapshots/${second}`]) {
      rmSync(`${saved.control}/${path}`, { recursive: true });
    }

    const { findings } = await ada.unhealthy<Report>(['doctor', '--strict']);

    expect(findings.map(({ category }) => category)).toEqual(expect.arrayContaining(['dangling_ref', 'dangling_pin']));
  });
});

describe('explicit repairs', () => {
  test('are foreseen by --dry-run, and then nothing changes', async ({ saved, ada }) => {
    await ada.run(['snapshot', 'orphan'], { env: { JVS_FAILPOINT: 'publish:descriptor=kill' } });
    await ada.ok(['lock', 'release']);
    const before = readdirSync(`${saved.control}/snapshots`);

    const dropping = await ada.run(['doctor', '--repair', 'drop_orphan', '--dry-run']);
    const advancing = await ada.run(['doctor', '--repair', 'advance_head', '--dry-run']);

    expect(dropping.stdout).toMatch(/^Would drop_orphan: /m);
    expect(advancing.stdout).toMatch(/^Would advance_head: /m);
    expect(readdirSync(`${saved.control}/snapshots`)).toEqual(before);
  });

  test('log_repair removes slots that nobody reads', async ({ saved, ada }) => {
    writeFileSync(slot(auditLog(saved), 9), 'garbage');

    expect(await ada.unhealthy<Report>(['doctor'])).toMatchObject({ healthy: false });
    await ada.ok(['doctor', '--repair', 'log_repair']);

    expect(existsSync(slot(auditLog(saved), 9))).toBe(false);
    expect(auditRecords(saved).at(-1)).toMatchObject({ operation: 'repair', details: { repair: 'log_repair' } });
    expect(await ada.json<Report>(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
  });

  test('audit_repair keeps what survives, names the archive and what is lost, and the condemned plan stays', async ({
    saved,
    ada,
  }) => {
    await ada.ok(['snapshot', 'second']);
    await ada.ok(['snapshot', 'third']);
    const before = auditRecords(saved);
    unlinkSync(slot(auditLog(saved), 4));

    const { repairs } = await ada.json<Report>(['doctor', '--repair', 'audit_repair', '--strict']);

    expect(repairs).toMatchObject([{ repair: 'audit_repair' }]);
    const after = auditRecords(saved);
    expect(after.map(({ event_id }) => event_id).slice(0, -1)).toEqual(
      [before[0], before[1], before[2], before[4]].map((record) => record?.event_id),
    );
    const [archive = ''] = readdirSync(saved.control).filter((name) => name.startsWith('audit.broken-'));
    expect(after.at(-1)).toMatchObject({
      operation: 'repair',
      condemned_plan: null,
      details: { repair: 'audit_repair', archives: [archive], kept: 4 },
    });
    expect(after.at(-1)?.details['lost']).toContain(before[3]?.event_id);
    expect(readdirSync(`${saved.control}/${archive}`)).toHaveLength(4);
    expect(await ada.json<Report>(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
    expect(await ada.json<Report>(['doctor', '--repair', 'audit_repair'])).toMatchObject({ repairs: [] });
  });

  test('reset_state begins a new log at the newest head that is proved', async ({ saved, ada }) => {
    const second = (await ada.json<{ snapshot_id: string }>(['snapshot', 'second'])).snapshot_id;
    const oldId = worktreeId(saved);
    const oldConfig = readFileSync(`${saved.control}/worktrees/main/config.json`);
    // The newest state record proves nothing any more; the audit record of the snapshot does.
    writeFileSync(slot(stateLog(saved), 4), '{}');

    const before = await ada.unhealthy<Report>(['doctor']);
    await ada.ok(['doctor', '--repair', 'reset_state']);

    expect(before.findings.map(({ repair }) => repair)).toContain('reset_state');
    expect(worktreeId(saved)).not.toBe(oldId);
    expect(stateRecords(saved)).toMatchObject([
      { kind: 'create', seq: 1, head_snapshot_id: second, lock: null, pending: null, worktree_id: worktreeId(saved) },
    ]);
    const config = readFileSync(`${saved.control}/worktrees/main/config.json`);
    expect(auditRecords(saved).at(-1)).toMatchObject({
      operation: 'repair',
      target: 'main',
      details: {
        repair: 'reset_state',
        old_worktree_id: oldId,
        worktree_id: worktreeId(saved),
        old_object_sha256: sha256(oldConfig),
        object_sha256: sha256(config),
      },
    });
    expect(await ada.json<Report>(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
    await ada.ok(['lock', 'acquire']);
    expect(await ada.json(['snapshot', 'goes on'])).toMatchObject({ parent_snapshot_id: second });
  });

  test('reset_state takes the head of the newest state record that can be read', async ({ saved, ada }) => {
    unlinkSync(slot(stateLog(saved), 2));

    await ada.ok(['doctor', '--repair', 'reset_state']);

    expect(stateRecords(saved)).toMatchObject([{ kind: 'create', head_snapshot_id: saved.id }]);
    expect(await ada.json<Report>(['doctor', '--strict'])).toMatchObject({ healthy: true, findings: [] });
  });

  test('reset_state leaves sound worktrees alone', async ({ saved, ada }) => {
    const before = readFileSync(`${saved.control}/worktrees/main/config.json`, 'utf8');

    expect(await ada.json<Report>(['doctor', '--repair', 'reset_state'])).toMatchObject({ repairs: [] });
    expect(readFileSync(`${saved.control}/worktrees/main/config.json`, 'utf8')).toBe(before);
  });
});

describe('doctor --fs', () => {
  test('tells engine, reason, what it keeps and loses, cost, and a measured speed', async ({ saved, ada }) => {
    const probe = await ada.json<Record<string, unknown>>(['doctor', '--fs']);

    const { snapshot_engine } = await ada.json<{ snapshot_engine: string }>(['info']);
    expect(Object.keys(probe)).toEqual(['engine', 'reason', 'keeps', 'loses', 'cost', 'us_per_file']);
    expect(probe['engine']).toBe(snapshot_engine);
    expect(['constant', 'per file', 'per byte']).toContain(probe['cost']);
    expect(probe['us_per_file']).toBeGreaterThan(0);
    expect(probe['loses']).toContain('special');
    expect(await ada.ok(['doctor', '--fs'])).toMatch(/^Engine: [a-z-]+\n(.*\n)* {2}Measured: \d+ µs per file$/m);
    expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
    expect(auditRecords(saved)).toHaveLength(3);
  });

  test('obeys JVS_SNAPSHOT_ENGINE, and goes with no other flag', async ({ saved, ada }) => {
    ada.cwd = saved.main;

    expect(await ada.with({ JVS_SNAPSHOT_ENGINE: 'copy' }).json(['doctor', '--fs'])).toMatchObject({ engine: 'copy' });
    expect((await ada.run(['doctor', '--fs', '--strict'])).exitCode).toBe(2);
  });
});

function otherThan(saved: SavedRepository, folder: string): string {
  const name = readdirSync(folder).find((entry) => !entry.startsWith(saved.id));
  if (name === undefined) throw new Error(`Only ${saved.id} in ${folder}`);
  return name;
}
