import process from 'node:process';

import { newUser, setHeartbeatBack, stateRecords, test } from '@jvs/testkit';
import { expect } from 'vitest';

const LONG = process.env['JVS_TEST_LONG'] === '1';
const ROUNDS = Number(process.env['JVS_ROUNDS'] ?? (LONG ? 200 : 10));
const STEALERS = 8;

test(
  `of ${STEALERS} stealers exactly one wins, ${ROUNDS} rounds`,
  { timeout: 20_000 + ROUNDS * 5000 },
  async ({ dir, saved, ada }) => {
    const stealers = Array.from({ length: STEALERS }, (_, n) => newUser(dir, `stealer-${n}`).at(saved.main));

    for (let round = 0; round < ROUNDS; round++) {
      const before = stateRecords(saved).length;
      setHeartbeatBack(saved, 2 * 24 * 3600 * 1000);

      const results = await Promise.all(
        stealers.map(async (user, n) => user.with({ JVS_SESSION: `round-${round}-${n}` }).run(['lock', 'acquire'])),
      );

      const winners = results.flatMap(({ exitCode }, n) => (exitCode === 0 ? [n] : []));
      expect({ winners, results }).toMatchObject({ winners: [expect.any(Number)] });
      expect(results.filter(({ stderr }) => stderr.includes('jvs: E_LOCK_CONFLICT: '))).toHaveLength(STEALERS - 1);
      expect(stateRecords(saved)).toHaveLength(before + 1);
      expect(stateRecords(saved).at(-1)).toMatchObject({
        kind: 'steal',
        head_snapshot_id: saved.id,
        lock: { session_id: `round-${round}-${winners[0]}`, fencing_token: before + 1 },
      });
    }

    const tokens = stateRecords(saved).flatMap(({ kind, lock }) => (kind === 'steal' ? [lock?.fencing_token] : []));
    expect(new Set(tokens).size).toBe(ROUNDS);
    expect(await ada.json(['audit', 'verify'])).toMatchObject({ valid: true });
    expect(await ada.json(['doctor', '--strict'])).toMatchObject({ healthy: true });
  },
);
