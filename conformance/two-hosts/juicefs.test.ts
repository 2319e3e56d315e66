import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

import { startJuiceVolume, whyNoJuiceVolume, type JuiceHost, type JuiceVolume } from '@jvs/services';
import { JVS_BIN, type Descriptor } from '@jvs/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startJvs, type RunningJvs } from './start-jvs.ts';

const WHY_NOT = whyNoJuiceVolume();
const LONG_AGO = new URL('long-ago.js', import.meta.url).href;
const NOT_HERE = WHY_NOT === undefined ? '' : ` (not here: ${WHY_NOT})`;

describe.runIf(WHY_NOT === undefined)(
  `a repository on JuiceFS, used from two hosts${NOT_HERE}`,
  { timeout: 90_000 },
  () => {
    let volume: JuiceVolume;
    let repositories = 0;

    beforeAll(async () => {
      volume = await startJuiceVolume();
    }, 60_000);
    afterAll(async () => volume.stop(), 60_000);

    /** A fresh repository, and how to use it: `a` and `b` start jvs in its main worktree, each on its host. */
    async function fresh(): Promise<{ a: Use; b: Use; main: string }> {
      repositories += 1;
      const [a, b] = volume.hosts;
      const root = `${a.volume}/repo-${repositories}`;
      await use(a, a.volume).json('init', `repo-${repositories}`);
      const main = `${root}/main`;
      return { a: use(a, main), b: use(b, main), main };
    }

    describe.concurrent('while hosts and mount are well', () => {
      test('the time is that of the filesystem now, not of the last time that somebody asked', async () => {
        const { a, b } = await fresh();
        await a.json('lock', 'acquire', '--lease-ms', '1500');
        await delay(1800);

        expect(await b.json('lock', 'status')).toMatchObject({ state: 'expired' });
        const { state } = await a.json<{ state: string }>('lock', 'status');
        expect(['expired', 'stealable']).toContain(state);
      });

      test('a lock of another host is stealable only after it was watched for long enough', async () => {
        const { a, b } = await fresh();
        await a.json('lock', 'acquire', '--lease-ms', '1000');
        await delay(1000 + 2000 + 1000 + 500);

        expect(await b.json('lock', 'status')).toMatchObject({ state: 'expired' });
        expect(await b.error('lock', 'acquire')).toBe('E_LOCK_CONFLICT');
        await delay(1000 + 2000 + 1000 + 100);
        expect(await b.json('lock', 'status')).toMatchObject({ state: 'stealable' });
        expect(await b.json('lock', 'acquire')).toMatchObject({ lock: { fencing_token: 3 } });
      });

      test.for(['publish:intent', 'publish:ready', 'publish:descriptor', 'append-state:temp'])(
        'a snapshot that is stopped at %s cannot publish after another host took over and published',
        async (failpoint) => {
          const { a, b, main } = await fresh();
          await a.shell(`echo by a >'${main}/file'`);
          await a.json('lock', 'acquire', '--lease-ms', '3000');
          const frozen = a.start({ JVS_FAILPOINT: `${failpoint}=stop` }, 'snapshot', 'by a');
          await frozen.stopped();

          await b.json('lock', 'acquire', '--wait', '20000');
          await b.shell(`echo by b >'${main}/file'`);
          const byB = await b.json<Descriptor>('snapshot', 'by b');
          frozen.resume();

          expect(await frozen.error()).toBe('E_FENCING_MISMATCH');
          expect(await a.json('status')).toMatchObject({ head_snapshot_id: byB.snapshot_id });
          expect(byB.parent_snapshot_id).toBeNull();
          expect(await soundSnapshots(a, b)).toEqual([byB.snapshot_id]);
        },
      );

      test('a worktree that a stopped host was making is finished by the other, and made once', async () => {
        const { a, b } = await fresh();
        await a.json('snapshot', '--lock', 'first');
        const frozen = a.start(
          { JVS_FAILPOINT: 'create:audit=stop' },
          'worktree',
          'create',
          'second',
          '--from',
          'main:HEAD',
        );
        await frozen.stopped();

        await b.json('lock', 'acquire', '--worktree', 'second');
        frozen.resume();
        await frozen.result;

        expect(await a.json('worktree', 'list')).toMatchObject([{ name: 'main' }, { name: 'second', pending: null }]);
        const [{ snapshot_id: id }] = (await b.json<Descriptor[]>('history')) as [Descriptor];
        expect(await soundSnapshots(b, a)).toEqual([id]);
      });

      test('a snapshot that another host has just collected is no beginning, though this one still remembers its name', async () => {
        const { a, b, main } = await fresh();
        const old = await snapshotLongAgo(a, 'collected');
        const head = await snapshotLongAgo(a, 'head');
        const plan = await a.json<{ plan_id: string }>('gc', 'plan', '--scope', 'all', '--min-age-ms', '600000');
        const collector = a.start({ JVS_FAILPOINT: 'gc:mark=stop' }, 'gc', 'run', '--plan-id', plan.plan_id);
        await collector.stopped();
        const maker = b.start({ JVS_FAILPOINT: 'create:record=stop' }, 'worktree', 'create', 'second', '--from', old);
        await maker.stopped();

        await b.shell(`stat '${main}/../.jvs/snapshots/${old}'`);
        collector.resume();
        await collector.json();
        maker.resume();

        expect(await maker.error()).toBe('E_SNAPSHOT_CONDEMNED');
        expect(await a.json('worktree', 'list')).toMatchObject([{ name: 'main' }]);
        expect(await soundSnapshots(b, a)).toEqual([head]);
      });
    });

    test('a host whose mount hung while another took over finds out when it comes back', async () => {
      const { a, b } = await fresh();
      const { lock } = await a.json<{ lock: { fencing_token: number } }>('lock', 'acquire', '--lease-ms', '3000');
      await volume.hosts[0].freezeMount();
      const hanging = a.start({ JVS_FENCING_TOKEN: String(lock.fencing_token) }, 'snapshot', 'by a');
      await b.json('lock', 'acquire', '--wait', '20000');
      const byB = await b.json<Descriptor>('snapshot', 'by b');
      volume.hosts[0].thawMount();

      expect(await hanging.error()).toBe('E_FENCING_MISMATCH');
      expect(await soundSnapshots(b, a)).toEqual([byB.snapshot_id]);
    });

    test('lock exec ends its command when the mount hangs for as long as the lease', async () => {
      const { a } = await fresh();
      const [host] = volume.hosts;
      const running = a.start({}, 'lock', 'exec', '--lease-ms', '2000', '--', 'sleep', '4321');
      const sleeps = async () => (await host.run('pgrep', '-f', '^sleep 4321').catch(() => '')) !== '';
      while (!(await sleeps())) await delay(50);
      await host.freezeMount();
      try {
        while (await sleeps()) await delay(50);
      } finally {
        host.thawMount();
      }

      const { exitCode, stderr } = await running.result;
      expect(exitCode).toBe(125);
      expect(stderr).toContain('jvs: E_LOCK_EXPIRED: ');
      expect(await a.json('lock', 'status')).toMatchObject({ state: 'free' });
    });

    test('a published snapshot survives the death of the host that made it', async () => {
      const { a, b, main } = await fresh();
      await a.shell(`head -c 3000000 /dev/urandom >'${main}/file'`);
      const { snapshot_id: id } = await a.json<Descriptor>('snapshot', '--lock', 'last words');
      await volume.hosts[0].kill();

      expect(await soundSnapshots(b, b)).toEqual([id]);
    });
  },
);

interface Use {
  start(env: Record<string, string>, ...args: string[]): RunningJvs;
  /** Runs a command that must succeed; returns its document. */
  json<T = unknown>(...args: string[]): Promise<T>;
  /** Runs a command that must fail; returns the class. */
  error(...args: string[]): Promise<string>;
  shell(line: string): Promise<string>;
}

function use(host: JuiceHost, cwd: string): Use {
  const start: Use['start'] = (env, ...args) => startJvs(host, [process.execPath, JVS_BIN], { cwd, env, args });
  return {
    start,
    json: async <T>(...args: string[]) => start({}, ...args).json<T>(),
    error: async (...args) => start({}, ...args).error(),
    shell: async (line) => host.run('sh', '-c', line),
  };
}

async function snapshotLongAgo(host: Use, note: string): Promise<string> {
  const running = host.start({ NODE_OPTIONS: `--import ${LONG_AGO}` }, 'snapshot', '--lock', note);
  return (await running.json<Descriptor>()).snapshot_id;
}

/** Repairs on one host, and lets the other read everything, which must be healthy. Returns the ids of what it has read. */
async function soundSnapshots(one: Use, other: Use): Promise<string[]> {
  await one.json('doctor', '--repair-runtime');
  expect(await other.json('doctor', '--strict')).toMatchObject({ healthy: true });
  const { snapshots } = await other.json<{ snapshots: { snapshot_id: string }[] }>('verify', '--all');
  return snapshots.map(({ snapshot_id }) => snapshot_id);
}
