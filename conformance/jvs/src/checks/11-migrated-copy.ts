import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { copiers, copyRepository } from '../copy-repository.ts';
import { namesIn } from '../repository-files.ts';

export const migratedCopy: Check = {
  number: 11,
  title: 'migrated copy',
  expected: 'no runtime state; --repair-runtime succeeds',
  everywhere: true,
  run: async (c) => {
    const { repo, ada, id } = await c.savedRepository();
    await c.write(`${repo.main}/later.txt`, 'later\n');
    await ada.killedAt('publish:manifest', 'snapshot', 'interrupted');
    const history = await ada.json('history');

    for (const program of await copiers(c)) {
      const copy = await copyRepository(c, repo, `${c.dir}/copied-by-${program}`, program);
      const there = ada.at(copy.main);
      await there.ok('doctor', '--repair-runtime');

      const { healthy, findings } = await there.report<{ healthy: boolean; findings: object[] }>('doctor', '--strict');
      expectEqual({ healthy, findings }, { healthy: true, findings: [] }, `What doctor finds in a copy by ${program}`);
      expectEqual(await there.json('history'), history, 'The history of the copy');
      const runtime = ['intents', 'tmp'].flatMap((folder) => namesIn(`${copy.control}/${folder}`));
      expectEqual(runtime, [], 'Runtime files of the copy');
      expectEqual(namesIn(`${copy.control}/snapshots`), [id], 'The snapshots of the copy');
      await there.ok('verify', '--all');
    }
    expectEqual(await ada.json('history'), history, 'The history of the original');
  },
};
