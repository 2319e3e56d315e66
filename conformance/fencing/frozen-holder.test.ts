import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

import {
  errorOf,
  setHeartbeatBack,
  stateRecords,
  test,
  type CliResult,
  type Descriptor,
  type SavedRepository,
  type User,
} from '@jvs/testkit';
import { describe, expect } from 'vitest';

import { AFTER_COMMIT, APPEND_STEPS, BEFORE_COMMIT } from '../crash/failpoints.ts';

const LONG = process.env['JVS_TEST_LONG'] === '1';
/** The state record is linked, so the snapshot is committed, though its maker has not yet seen that. */
const IN_COMMIT = APPEND_STEPS.slice(1).map((step) => `append-state:${step}`);
const STOLEN_BY_CLOCK = 2 * 24 * 3600 * 1000;

/** Freezes ada's snapshot right after a step of publishing or, with a colon, any other, lets bob do what he does, thaws ada. */
async function freeze(
  saved: SavedRepository,
  ada: User,
  step: string,
  meanwhile: () => Promise<void>,
): Promise<CliResult> {
  writeFileSync(`${saved.main}/by-ada.txt`, 'by ada\n');
  const running = ada.start(['snapshot', '--json', 'by ada'], {
    env: { JVS_FAILPOINT: `${step.includes(':') ? step : `publish:${step}`}=stop` },
  });
  await running.stopped();
  try {
    await meanwhile();
  } finally {
    running.resume();
  }
  return running.result;
}

async function takeOverAndPublish(saved: SavedRepository, bob: User): Promise<Descriptor> {
  setHeartbeatBack(saved, STOLEN_BY_CLOCK);
  await bob.ok(['lock', 'acquire']);
  writeFileSync(`${saved.main}/by-bob.txt`, 'by bob\n');
  return bob.json<Descriptor>(['snapshot', 'by bob']);
}

/** `doctor --strict` does all that `verify --all` does. */
async function expectSound(bob: User): Promise<void> {
  const report = await bob.json<{ findings: unknown[] }>(['doctor', '--strict']);
  expect(report.findings).toEqual([]);
}

describe.concurrent('a holder that was frozen before the commit and lost the lease', () => {
  test.for([...BEFORE_COMMIT, 'append-state:temp'])(
    '%s: cannot publish, and leaves nothing',
    async (step, { saved, ada, bob }) => {
      let byBob: Descriptor | undefined;

      const thawed = await freeze(saved, ada, step, async () => {
        byBob = await takeOverAndPublish(saved, bob);
      });

      const error = errorOf(['snapshot'], thawed, 'E_FENCING_MISMATCH');
      expect(JSON.stringify([error.message, error.details])).toContain('bob');
      expect(byBob?.parent_snapshot_id).toBe(saved.id);
      expect(stateRecords(saved).map(({ kind }) => kind)).toEqual(['create', 'acquire', 'head', 'steal', 'head']);
      expect(stateRecords(saved).at(-1)?.head_snapshot_id).toBe(byBob?.snapshot_id);
      const ids = [saved.id, byBob?.snapshot_id];
      expect(readdirSync(`${saved.control}/snapshots`).toSorted()).toEqual(ids);
      expect(readdirSync(`${saved.control}/descriptors`).toSorted()).toEqual(ids.map((id) => `${id}.json`));
      expect(readdirSync(`${saved.control}/manifests`).toSorted()).toEqual(ids.map((id) => `${id}.manifest`));
      expect(readdirSync(`${saved.control}/intents`)).toEqual([]);
      expect(readdirSync(`${saved.control}/tmp`)).toEqual([]);
      await expectSound(bob);
    },
  );
});

describe.concurrent('a holder that was frozen after the commit and lost the lease', () => {
  test.for([...IN_COMMIT, ...AFTER_COMMIT])(
    '%s: has published, and bob goes on from there',
    async (step, { saved, ada, bob }) => {
      let byBob: Descriptor | undefined;

      const thawed = await freeze(saved, ada, step, async () => {
        byBob = await takeOverAndPublish(saved, bob);
      });

      expect(thawed).toMatchObject({ exitCode: 0 });
      const byAda = JSON.parse(thawed.stdout) as Descriptor;
      expect(byBob?.parent_snapshot_id).toBe(byAda.snapshot_id);
      expect(byAda.parent_snapshot_id).toBe(saved.id);
      expect(stateRecords(saved).at(-1)?.head_snapshot_id).toBe(byBob?.snapshot_id);
      await expectSound(bob);
    },
  );
});

describe.concurrent('a snapshot that was frozen while another command of its own session published', () => {
  test.for([...BEFORE_COMMIT, 'append-state:temp'])(
    '%s: says E_HEAD_MOVED, and leaves nothing',
    async (step, { saved, ada }) => {
      let faster: Descriptor | undefined;

      const thawed = await freeze(saved, ada, step, async () => {
        faster = await ada.json<Descriptor>(['snapshot', 'faster']);
      });

      errorOf(['snapshot'], thawed, 'E_HEAD_MOVED');
      expect(stateRecords(saved).at(-1)?.head_snapshot_id).toBe(faster?.snapshot_id);
      const ids = [saved.id, faster?.snapshot_id];
      expect(readdirSync(`${saved.control}/snapshots`).toSorted()).toEqual(ids);
      expect(readdirSync(`${saved.control}/manifests`).toSorted()).toEqual(ids.map((id) => `${id}.manifest`));
      await expectSound(ada);
    },
  );
});

describe.concurrent('what else may happen to a frozen holder', () => {
  test('the lock is stolen and given back: still E_FENCING_MISMATCH', async ({ saved, ada, bob }) => {
    const thawed = await freeze(saved, ada, 'ready', async () => {
      setHeartbeatBack(saved, STOLEN_BY_CLOCK);
      await bob.ok(['lock', 'acquire']);
      await bob.ok(['lock', 'release']);
    });

    errorOf(['snapshot'], thawed, 'E_FENCING_MISMATCH');
    expect(stateRecords(saved).at(-1)).toMatchObject({ kind: 'release', head_snapshot_id: saved.id });
    await expectSound(bob);
  });

  test('its intent is dropped by doctor: it ends without harm', async ({ saved, ada, bob }) => {
    const thawed = await freeze(saved, ada, 'manifest', async () => {
      setHeartbeatBack(saved, STOLEN_BY_CLOCK);
      await bob.ok(['doctor', '--repair-runtime']);
    });

    errorOf(['snapshot'], thawed, 'E_FENCING_MISMATCH');
    expect(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
    expect(readdirSync(`${saved.control}/descriptors`)).toEqual([`${saved.id}.json`]);
    expect(readdirSync(`${saved.control}/manifests`)).toEqual([`${saved.id}.manifest`]);
    await bob.ok(['doctor', '--repair-runtime']);
    await expectSound(bob);
  });

  test('nothing: a holder that thaws with its lease alive publishes', async ({ saved, ada, bob }) => {
    const thawed = await freeze(saved, ada, 'ready', async () => {
      await bob.fails(['lock', 'acquire'], 'E_LOCK_CONFLICT');
    });

    expect(thawed.exitCode).toBe(0);
    expect(stateRecords(saved).at(-1)).toMatchObject({ kind: 'head', lock: { fencing_token: 2 } });
  });

  test('its lease is over, though nobody took it: it publishes nothing, and its session goes on', async ({
    saved,
    ada,
  }) => {
    const thawed = await freeze(saved, ada, 'compose', async () => {
      setHeartbeatBack(saved, STOLEN_BY_CLOCK);
      await Promise.resolve();
    });

    errorOf(['snapshot'], thawed, 'E_LOCK_EXPIRED');
    expect(stateRecords(saved)).toHaveLength(3);
    expect(readdirSync(`${saved.control}/snapshots`)).toEqual([saved.id]);
    await ada.ok(['snapshot', 'the next one works']);
    await expectSound(ada);
  });
});

describe('with real waiting', () => {
  test.for(Array.from({ length: LONG ? 8 : 1 }, (_, round) => round))('round %s', async (_, { repo, ada, bob }) => {
    // Long enough that a busy machine reaches the failpoint within it.
    await ada.ok(['lock', 'acquire', '--lease-ms', '10000']);
    const running = ada.start(['snapshot', '--json'], { env: { JVS_FAILPOINT: 'publish:descriptor=stop' } });
    await running.stopped();

    await bob.ok(['lock', 'acquire', '--wait', '40000'], { timeoutMs: 50_000 });
    const byBob = await bob.json<Descriptor>(['snapshot', 'by bob']);
    running.resume();

    errorOf(['snapshot'], await running.result, 'E_FENCING_MISMATCH');
    expect(stateRecords(repo).at(-1)?.head_snapshot_id).toBe(byBob.snapshot_id);
    expect(readFileSync(`${repo.control}/descriptors/${byBob.snapshot_id}.json`, 'utf8')).toContain('by bob');
    await bob.ok(['verify', '--all']);
    await expectSound(bob);
  });
});
