import type { Check } from '../check.ts';
import { expectEqual } from '../expectations.ts';
import { publishedFiles, stateRecords } from '../repository-files.ts';
import { refusalIn } from '../user.ts';

/** Renewed three times as often. Long enough that a busy machine reaches the failpoint within it. */
const LEASE_MS = 9000;
const RENEWAL_IS_DUE_MS = LEASE_MS / 3 + 100;

export const failedRenewal: Check = {
  number: 2,
  title: 'renewal fails during a snapshot',
  expected: 'the writer stops, nothing is published',
  run: async (c) => {
    for (const step of ['publish:clone', 'publish:descriptor']) {
      const { repo, ada } = await c.repository(step.replace(':', '-'));
      await c.write(`${repo.main}/hello.txt`, 'hello\n');
      await ada.ok('lock', 'acquire', '--lease-ms', String(LEASE_MS));

      // A lease that is over cannot be renewed.
      const writer = await ada.frozenAt(step, 'snapshot', '--json', 'interrupted');
      await c.holderFallsSilent(repo);
      if (step === 'publish:clone') await c.wait(RENEWAL_IS_DUE_MS);
      const outcome = await c.thawed(writer);

      refusalIn(outcome, ['E_LOCK_EXPIRED', 'E_FENCING_MISMATCH'], `A snapshot whose renewal failed (${step})`);
      const left = publishedFiles(repo);
      const nothing = { snapshots: [], descriptors: [], manifests: [], intents: [], tmp: [] };
      expectEqual(left, nothing, `What a snapshot leaves whose renewal failed (${step})`);
      expectEqual(stateRecords(repo).length, 2, 'The number of state records: create and acquire');
      expectEqual(await ada.json('history'), [], 'The history');
    }
  },
};
