import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import type { CheckContext } from '../check-context.ts';
import type { Outcome } from '../program.ts';
import { stateRecords, tipOf } from '../repository-files.ts';
import { refusalIn, type User } from '../user.ts';

const STEALERS = 6;
const ROUNDS = { dev: 2, release: 6 };

export const concurrentStealers: Check = {
  number: 23,
  title: 'concurrent stealers',
  expected: 'exactly one winner',
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository({ mustRunOut: true });
    const stealers = await Promise.all(
      Array.from({ length: STEALERS }, async (_, n) => (await c.user(`stealer${n}`)).at(repo.main)),
    );
    for (let round = 1; round <= ROUNDS[c.profile]; round += 1) {
      const before = stateRecords(repo).length;
      if (round === 1) await c.leaseRunsOut(repo);
      else await c.holderFallsSilent(repo);

      const outcomes = await acquireTogether(c, stealers, round);

      const winners = outcomes.filter(({ exitCode }) => exitCode === 0);
      expectEqual(winners.length, 1, `The number of winners among ${STEALERS} stealers`);
      for (const loser of outcomes.filter(({ exitCode }) => exitCode !== 0)) {
        refusalIn(loser, 'E_LOCK_CONFLICT', 'The acquire of a stealer who lost');
      }
      expectEqual(stateRecords(repo).length, before + 1, 'The number of state records');
      const { kind, lock, head_snapshot_id: head } = tipOf(repo);
      const tip = { kind, head, session: lock?.session_id, token: lock?.fencing_token };
      const wanted = { kind: 'steal', head: id, session: winners[0]?.session, token: before + 1 };
      expectEqual(tip, wanted, 'The newest state record');
    }
    await ada.ok('audit', 'verify');
  },
};

/**
 * All start at once. In every other round each is also frozen when it has decided to steal and has only the log left to
 * ask, until the last of them is there.
 */
async function acquireTogether(
  c: CheckContext,
  users: readonly User[],
  round: number,
): Promise<(Outcome & { session: string })[]> {
  const sessions = users.map((_, n) => `round-${round}-${n}`);
  const commands = sessions.map((session) => ['--json', 'lock', 'acquire', '--session', session]);
  c.remark(`the next ${users.length} commands at once`);
  const running = await Promise.all(
    users.map(async (user, n) => {
      const args = commands[n] ?? [];
      return round % 2 === 1 ? await user.frozenAt('lock:credentials', ...args) : user.start(args);
    }),
  );
  c.remark('let all of them that are frozen go on at once');
  for (const each of running) each.resume();
  return await Promise.all(running.map(async ({ outcome }, n) => ({ session: sessions[n] ?? '', ...(await outcome) })));
}
