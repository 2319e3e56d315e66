import { join } from 'node:path';
import { alternate, type Side } from '../alternate.ts';
import type { Bench } from '../bench.ts';
import type { Measurement } from '../measurement.ts';
import { readFiles } from '../read-files.ts';
import { importRepository, snapshotTree, takeSnapshot } from '../repository.ts';
import { run, type Command } from '../run.ts';
import { command, describeCommand, discard, jvs, settle } from '../workbench.ts';

/** Every byte of one snapshot read and checked; restic does the same for its only snapshot, of the same tree. */
export async function verify(bench: Bench): Promise<Measurement[]> {
  const repository = await importRepository(bench, bench.source);
  const id = await takeSnapshot(bench, repository);
  const store = join(bench.dir, 'restic');
  await run(restic(bench, 'init'));
  await run(restic(bench, 'backup', bench.source));
  const check = restic(bench, 'check', '--read-data');
  const ours: Side = {
    name: 'jvs verify',
    once: async () => {
      readFiles(snapshotTree(repository, id));
      await settle(bench);
      return (await run(jvs(bench, repository.main, ['verify', id]))).ms;
    },
  };
  const theirs: Side = {
    name: 'restic check',
    once: async () => {
      readFiles(store);
      await settle(bench);
      return (await run(check)).ms;
    },
  };
  const [verifications, checks] = await alternate(bench.rounds, [ours, theirs], bench.tell);
  await discard(repository.root, store);
  return [
    {
      what: 'Verify one snapshot',
      unit: 'ms',
      jvs: { command: 'jvs verify <id>', values: verifications },
      peer: { name: '`restic check`', command: describeCommand(bench, check), values: checks },
      compare: 'ratio',
      bar: 0.4,
    },
  ];
}

function restic(bench: Bench, ...args: string[]): Command {
  const bare = command(bench, 'restic', ['-r', join(bench.dir, 'restic'), ...args]);
  return { ...bare, env: { ...bare.env, RESTIC_PASSWORD: 'benchmark' } };
}
