import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { systemClock } from '@jvs/platform/clock';
import { armFailpoint, disarmFailpoint } from '@jvs/platform/failpoint';
import { afterEach, describe, expect } from 'vitest';
import type { Repository } from '../../src/repository.ts';
import { verifyAudit } from '../../src/verify/verify-audit.ts';
import { createWorktree } from '../../src/worktree/create-worktree.ts';
import { settleWorktree } from '../../src/worktree/settle.ts';
import { openWorktree, type Worktree } from '../../src/worktree/worktree.ts';
import { pretty } from '../fixtures/canonical.ts';
import { CONFIG, D1, LOCK } from '../fixtures/vectors.ts';
import { appendAuditByHand, appendStateByHand, auditRecords, open, stateRecords, test } from '../fixtures/world.ts';

afterEach(disarmFailpoint);
const NAME = 'second';

/** Creates the worktree `second` from D1 in a process that dies right after the step. */
async function dieAfter(r: Repository, step: string, from: string | undefined = D1.snapshot_id): Promise<Worktree> {
  armFailpoint(`create:${step}`, () => {
    throw new Error('killed here');
  });
  await expect(createWorktree(r, NAME, { from })).rejects.toThrow('killed here');
  disarmFailpoint();
  return openWorktree(r, NAME);
}

function ageName(r: Repository, seconds: number): void {
  const then = Date.now() / 1000 - seconds;
  utimesSync(r.layout.worktreeConfig(NAME), then, then);
}

function opDirectories(r: Repository): string[] {
  return readdirSync(r.layout.tmp).filter((name) => name.startsWith('op-'));
}

async function expectArrived(r: Repository, w: Worktree): Promise<void> {
  expect(readFileSync(`${w.path}/hello.txt`, 'utf8')).toBe('hello\n');
  expect(existsSync(`${w.path}/.READY`)).toBe(false);
  expect(stateRecords(r, w.id).at(-1)).toMatchObject({
    kind: 'end',
    pending: null,
    lock: null,
    head_snapshot_id: D1.snapshot_id,
  });
  await expectAudited(r, w, 'done');
}

async function expectAudited(r: Repository, w: Worktree, outcome: 'done' | 'undone'): Promise<void> {
  const ends = auditRecords(r).filter(({ target, details }) => target === NAME && details['phase'] === 'end');
  expect(ends.map(({ details }) => details['outcome'])).toEqual([outcome]);
  const events = auditRecords(r).map(({ event_id }) => event_id);
  for (const { event_id } of stateRecords(r, w.id))
    expect(events.filter((other) => other === event_id)).toHaveLength(1);
  expect(await verifyAudit(r)).toMatchObject({ valid: true, problems: [], audit_missing: [] });
}

describe('a creation', () => {
  test('that nothing interrupts leaves nothing to settle', async ({ vector }) => {
    const { worktree, content } = await createWorktree(vector, NAME, { from: D1.snapshot_id, verify: true });

    expect(content).toBe('verified');
    expect(stateRecords(vector, worktree.id).map(({ kind }) => kind)).toEqual(['create', 'end']);
    await expectArrived(vector, worktree);
    expect(opDirectories(vector)).toEqual([]);
    expect(await settleWorktree(worktree)).toBeUndefined();
  });

  test('that fails before its name is claimed leaves nothing at all', async ({ vector }) => {
    armFailpoint('create:opdir', () => {
      throw new Error('no room');
    });
    await expect(createWorktree(vector, NAME, { from: D1.snapshot_id })).rejects.toThrow('no room');

    expect(readdirSync(vector.layout.worktrees)).toEqual(['main']);
    expect(readdirSync(vector.layout.states)).toHaveLength(1);
    expect(readdirSync(vector.layout.tmp)).toEqual([]);
    expect(await verifyAudit(vector)).toMatchObject({ valid: true, count: 3 });
  });

  test.for(['record', 'audit', 'payload'])('that died after %s is finished', async (step, { vector }) => {
    const w = await dieAfter(vector, step);

    expect(await settleWorktree(w)).toEqual({ operation: 'create', outcome: 'done', intruders: [] });

    await expectArrived(vector, w);
    expect(opDirectories(vector)).toEqual([]);
  });

  test('that died after its last record leaves only its directory', async ({ vector }) => {
    const w = await dieAfter(vector, 'end');

    expect(await settleWorktree(w)).toBeUndefined();
    await expectAudited(vector, w, 'done');
  });

  test('of an empty worktree that died is finished empty', async ({ vector }) => {
    armFailpoint('create:record', () => {
      throw new Error('killed here');
    });
    await createWorktree(vector, NAME).catch(() => {});
    disarmFailpoint();
    const w = await openWorktree(vector, NAME);

    await settleWorktree(w);

    expect(readdirSync(w.path)).toEqual([]);
    expect(stateRecords(vector, w.id).at(-1)).toMatchObject({ kind: 'end', head_snapshot_id: null });
    await expectAudited(vector, w, 'done');
  });

  test('is finished once by many who find it, who do not keep each other from it', async ({ dir, vector }) => {
    const w = await dieAfter(vector, 'audit');
    const others = await Promise.all(
      ['b', 'c', 'd'].map(async (name) => openWorktree(await open(dir, name, systemClock), NAME)),
    );
    let claims = 0;
    armFailpoint('settle:claim', () => (claims += 1));

    await Promise.all(others.map(async (other) => settleWorktree(other)));

    await expectArrived(vector, w);
    expect(stateRecords(vector, w.id)).toHaveLength(2);
    expect(claims).toBeLessThan(40);
  });

  test('that another settler claims right after us is looked at again', async ({ vector }) => {
    const w = await dieAfter(vector, 'audit');
    armFailpoint('settle:claim', () => {
      disarmFailpoint();
      const [op = ''] = opDirectories(vector);
      renameSync(`${vector.layout.tmp}/${op}`, `${vector.layout.tmp}/${op.replace(/\.1$/, '.2')}`);
    });

    expect(await settleWorktree(w)).toMatchObject({ outcome: 'done' });

    await expectArrived(vector, w);
  });

  test('settled by another settler who died is finished by the next', async ({ vector }) => {
    const w = await dieAfter(vector, 'record');
    for (const step of ['claim', 'judge']) {
      armFailpoint(`settle:${step}`, () => {
        throw new Error('killed too');
      });
      await expect(settleWorktree(w)).rejects.toThrow('killed too');
      disarmFailpoint();
    }
    expect(opDirectories(vector)).toEqual([expect.stringMatching(/^op-[0-9a-f-]{36}\.2$/)]);

    await settleWorktree(w);

    await expectArrived(vector, w);
  });

  test('is nobody\u2019s to settle while another holds the lock', async ({ vector }) => {
    const w = await dieAfter(vector, 'audit');
    appendStateByHand(vector, { kind: 'acquire', lock: LOCK }, w.id);

    await expect(settleWorktree(w)).rejects.toMatchObject({ code: 'E_WORKTREE_PENDING' });
    expect(existsSync(w.path)).toBe(false);
  });
});

describe('the author of a creation that another has settled', () => {
  test('is stopped at his next move and finds the worktree made', async ({ dir, vector }) => {
    let settled: Promise<unknown> = Promise.resolve();
    const other = await open(dir, 'bob');
    // The failpoint after the audit record stands in for a freeze: the other claims before the author goes on.
    const creating = createWorktree(vector, NAME, { from: D1.snapshot_id });
    armFailpoint('create:audit', () => {
      const [op = ''] = opDirectories(vector);
      renameSync(`${vector.layout.tmp}/${op}`, `${vector.layout.tmp}/${op}.1`);
      settled = openWorktree(other, NAME).then(async (w) => settleWorktree(w));
    });

    const { worktree } = await creating;
    await settled;

    await expectArrived(vector, worktree);
    expect(stateRecords(vector, worktree.id).map(({ kind }) => kind)).toEqual(['create', 'end']);
  });
});

describe('a name claimed without a first record', () => {
  test('is left to its creator for a minute', async ({ vector }) => {
    const w = await dieAfter(vector, 'claim');
    ageName(vector, 50);

    await expect(settleWorktree(w)).rejects.toMatchObject({ code: 'E_WORKTREE_PENDING' });
    expect(readdirSync(vector.layout.worktrees)).toContain(NAME);
  });

  test('is given back after it, and can be used again', async ({ vector }) => {
    const w = await dieAfter(vector, 'claim');
    ageName(vector, 70);

    expect(await settleWorktree(w)).toMatchObject({ operation: 'unclaim', outcome: 'undone' });

    expect(readdirSync(vector.layout.worktrees)).toEqual(['main']);
    expect(stateRecords(vector, w.id).map(({ kind }) => kind)).toEqual(['create', 'remove']);
    await expectAudited(vector, w, 'undone');
    await expect(createWorktree(vector, NAME, { from: D1.snapshot_id })).resolves.toBeDefined();
  });

  test('is given back though its log has no directory', async ({ vector }) => {
    const w = await dieAfter(vector, 'claim');
    rmSync(vector.layout.state(w.id), { recursive: true });
    ageName(vector, 70);

    expect(await settleWorktree(w)).toMatchObject({ outcome: 'undone' });
    expect(readdirSync(vector.layout.worktrees)).toEqual(['main']);
  });

  test('is not the frozen creator\u2019s any more', async ({ vector }) => {
    let isFrozen = true;
    armFailpoint('create:claim', () => {
      if (!isFrozen) return;
      isFrozen = false;
      // While the creator is frozen here, another takes record 1, as settling does.
      const config = JSON.parse(readFileSync(vector.layout.worktreeConfig(NAME), 'utf8')) as typeof CONFIG;
      appendStateByHand(
        vector,
        {
          actor: 'host:bob:1:1',
          at: new Date().toISOString(),
          head_snapshot_id: null,
          kind: 'create',
          lock: null,
          pending: { op: 'unclaim', op_id: '00000000-0000-4000-8000-0000000000ab' },
          worktree: NAME,
          worktree_id: config.worktree_id,
        },
        config.worktree_id,
      );
      mkdirSync(`${vector.layout.tmp}/op-00000000-0000-4000-8000-0000000000ab`);
    });

    await expect(createWorktree(vector, NAME, { from: D1.snapshot_id })).rejects.toMatchObject({
      code: 'E_WORKTREE_PENDING',
    });
    disarmFailpoint();
    const w = await openWorktree(vector, NAME);
    expect(existsSync(w.path)).toBe(false);
    await settleWorktree(w);

    expect(readdirSync(vector.layout.worktrees)).toEqual(['main']);
    await expectAudited(vector, w, 'undone');
  });
});

describe('something in the way of the payload', () => {
  test('is moved aside, reported, and kept', async ({ vector }) => {
    const w = await dieAfter(vector, 'audit');
    mkdirSync(w.path, { recursive: true });
    writeFileSync(`${w.path}/precious`, 'mine');

    const settled = await settleWorktree(w);

    expect(settled).toMatchObject({ outcome: 'done', intruders: [expect.stringMatching(/\/intruder-[0-9a-f-]{36}$/)] });
    expect(readFileSync(`${settled?.intruders[0]}/precious`, 'utf8')).toBe('mine');
    expect(readFileSync(`${w.path}/hello.txt`, 'utf8')).toBe('hello\n');
    expect(readdirSync(w.path)).toEqual(['hello.txt']);
    await expectAudited(vector, w, 'done');
  });

  test('is moved aside by the author too, a file as well', async ({ vector }) => {
    armFailpoint('create:audit', () => {
      writeFileSync(vector.layout.payload(NAME), 'mine');
    });

    const { worktree, intruders } = await createWorktree(vector, NAME, { from: D1.snapshot_id });

    expect(intruders).toHaveLength(1);
    expect(readFileSync(intruders[0] ?? '', 'utf8')).toBe('mine');
    expect(readFileSync(`${worktree.path}/hello.txt`, 'utf8')).toBe('hello\n');
  });
});

describe('an op directory that is lost, as in a copy without runtime files', () => {
  function loseRuntime(r: Repository): void {
    for (const name of readdirSync(r.layout.tmp)) rmSync(`${r.layout.tmp}/${name}`, { recursive: true });
  }

  test.for(['record', 'audit'])('after %s: the payload is made again from its snapshot', async (step, { vector }) => {
    const w = await dieAfter(vector, step);
    loseRuntime(vector);

    expect(await settleWorktree(w)).toMatchObject({ operation: 'create', outcome: 'done' });

    expect(stateRecords(vector, w.id).map(({ kind }) => kind)).toEqual(['create', 'begin', 'end']);
    await expectArrived(vector, w);
  });

  test('after the payload arrived: only the end is recorded', async ({ vector }) => {
    const w = await dieAfter(vector, 'payload');
    loseRuntime(vector);

    expect(await settleWorktree(w)).toMatchObject({ outcome: 'done' });

    expect(stateRecords(vector, w.id).map(({ kind }) => kind)).toEqual(['create', 'end']);
    await expectArrived(vector, w);
  });

  test('and lost again while it was made anew is made once more', async ({ vector }) => {
    const w = await dieAfter(vector, 'audit');
    loseRuntime(vector);
    armFailpoint('settle:rebuild', () => {
      throw new Error('killed too');
    });
    await expect(settleWorktree(w)).rejects.toThrow('killed too');
    disarmFailpoint();
    loseRuntime(vector);

    await settleWorktree(w);

    await expectArrived(vector, w);
  });

  test('and a payload that appeared before the audit record: the chain stays whole', async ({ vector }) => {
    const w = await dieAfter(vector, 'record');
    loseRuntime(vector);
    mkdirSync(w.path, { recursive: true });

    await settleWorktree(w);

    await expectAudited(vector, w, 'done');
  });

  test('is believed only after two listings a second apart', async ({ vector }) => {
    const w = await dieAfter(vector, 'audit');
    const [op = ''] = opDirectories(vector);
    renameSync(`${vector.layout.tmp}/${op}`, `${vector.root}/aside`);
    const slept: number[] = [];
    const sleep = async (ms: number) => {
      slept.push(ms);
      renameSync(`${vector.root}/aside`, `${vector.layout.tmp}/${op}`);
    };

    await settleWorktree({ ...w, repository: { ...vector, clock: { ...vector.clock, sleep } } });

    expect(slept).toEqual([1000]);
    expect(stateRecords(vector, w.id).map(({ kind }) => kind)).toEqual(['create', 'end']);
    await expectArrived(vector, w);
  });
});

describe('a creation from a snapshot that is being deleted', () => {
  const PLAN = '00000000-0000-4000-8000-0000000000cc';
  function condemn(r: Repository): void {
    writeFileSync(`${r.layout.plans}/${PLAN}.json`, pretty({ plan_id: PLAN, to_delete: [D1.snapshot_id] }));
    appendAuditByHand(r, { operation: 'gc_mark', snapshot_id: null, target: PLAN, condemned_plan: PLAN, details: {} });
  }

  test('is refused, and the name given back', async ({ vector }) => {
    condemn(vector);

    await expect(createWorktree(vector, NAME, { from: D1.snapshot_id })).rejects.toMatchObject({
      code: 'E_SNAPSHOT_CONDEMNED',
    });

    expect(readdirSync(vector.layout.worktrees)).toEqual(['main']);
    expect(existsSync(vector.layout.payload(NAME))).toBe(false);
    expect(opDirectories(vector)).toEqual([]);
  });

  test('leaves a valid chain behind', async ({ vector }) => {
    condemn(vector);
    await createWorktree(vector, NAME, { from: D1.snapshot_id }).catch(() => {});

    expect(await verifyAudit(vector)).toMatchObject({ valid: true, problems: [] });
  });

  test('that died before its audit record is undone by its settler', async ({ vector }) => {
    const w = await dieAfter(vector, 'record');
    condemn(vector);

    expect(await settleWorktree(w)).toMatchObject({ operation: 'create', outcome: 'undone' });

    expect(readdirSync(vector.layout.worktrees)).toEqual(['main']);
    expect(stateRecords(vector, w.id).at(-1)).toMatchObject({ kind: 'remove', pending: null });
  });

  test('stays undone when a settler dies after recording the refusal', async ({ vector }) => {
    const w = await dieAfter(vector, 'record');
    condemn(vector);
    armFailpoint('append-audit:synced', () => {
      throw new Error('killed here');
    });
    await expect(settleWorktree(w)).rejects.toThrow('killed here');
    disarmFailpoint();

    expect(await settleWorktree(w)).toMatchObject({ operation: 'create', outcome: 'undone' });

    expect(readdirSync(vector.layout.worktrees)).toEqual(['main']);
    expect(stateRecords(vector, w.id).map(({ kind }) => kind)).toEqual(['create', 'remove']);
    expect(await verifyAudit(vector)).toMatchObject({ valid: true, problems: [] });
  });
});
