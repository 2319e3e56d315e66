import { mkdirSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

import { auditRecords, setHeartbeatBack, test } from '@jvs/testkit';

import { expectRepaired, snapshotIds } from './aftermath.ts';

const LONG = process.env['JVS_TEST_LONG'] === '1';
const ROUNDS = Number(process.env['JVS_ROUNDS'] ?? (LONG ? 200 : 8));

test(
  `killed at any moment, ${ROUNDS} times: what was acknowledged stays, what was not is whole or nowhere`,
  {
    timeout: 30_000 + ROUNDS * 10_000,
  },
  async ({ saved, ada, bob, expect }) => {
    for (let n = 0; n < 300; n++) {
      mkdirSync(`${saved.main}/${n % 10}`, { recursive: true });
      writeFileSync(`${saved.main}/${n % 10}/${n}`, `file ${n}`);
    }
    let acknowledged = [saved.id];
    for (let round = 0; round < ROUNDS; round++) {
      const ms = Math.floor(Math.random() * 500);
      writeFileSync(`${saved.main}/round`, `${round}`);
      const running = ada.start(['snapshot', `round ${round}`]);
      await delay(ms);
      running.kill();
      const { exitCode } = await running.result;

      const visible = await snapshotIds(ada);
      const when = `round ${round}, killed after ${ms} ms`;
      expect({ when, older: visible.slice(-acknowledged.length) }).toEqual({ when, older: acknowledged });
      const added = visible.length - acknowledged.length;
      expect({ when, exitCode, added: exitCode === 0 ? added === 1 : added <= 1 }).toEqual({
        when,
        exitCode,
        added: true,
      });
      acknowledged = visible;
    }

    setHeartbeatBack(saved, 48 * 3600 * 1000);
    const report = await bob.json<{ findings: { category: string }[] }>(['doctor', '--repair-runtime', '--strict']);
    const left = report.findings.map(({ category }) => category);
    expect(left.filter((category) => category !== 'head_orphan' && category !== 'unreachable')).toEqual([]);
    await expectRepaired(bob, left);
    const published = auditRecords(saved).filter(({ operation }) => operation === 'snapshot');
    expect(published).toHaveLength(acknowledged.length);
  },
);
