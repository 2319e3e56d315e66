import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';

import { setHeartbeatBack, stateRecords, test, type SavedRepository } from '@jvs/testkit';
import { describe, expect } from 'vitest';

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

function otherThan(saved: SavedRepository, folder: string): string {
  const name = readdirSync(folder).find((entry) => !entry.startsWith(saved.id));
  if (name === undefined) throw new Error(`Only ${saved.id} in ${folder}`);
  return name;
}
