import process from 'node:process';
import { alternate, type Side } from '../alternate.ts';
import type { Bench } from '../bench.ts';
import type { Measurement } from '../measurement.ts';
import { importRepository, takeSnapshot } from '../repository.ts';
import { run, type Command } from '../run.ts';
import { command, describeCommand, discard, jvs, settle } from '../workbench.ts';

const LEAST_ROUNDS = 30;

/** What a command costs that does next to nothing, above what Node itself costs. */
export async function info(bench: Bench): Promise<Measurement[]> {
  const repository = await importRepository(bench, bench.source);
  await takeSnapshot(bench, repository);
  await settle(bench);
  const node = command(bench, process.execPath, ['-e', '0']);
  const side = (name: string, what: Command): Side => ({ name, once: async () => (await run(what)).ms });
  const sides = [side('jvs info', jvs(bench, repository.main, ['info'])), side('node -e 0', node)] as const;
  const [infos, nodes] = await alternate(Math.max(bench.rounds, LEAST_ROUNDS), sides, bench.tell);
  await discard(repository.root);
  return [
    {
      what: 'Start and end of a command',
      unit: 'ms',
      jvs: { command: 'jvs info', values: infos },
      peer: { name: '`node -e 0`', command: describeCommand(bench, node), values: nodes },
      compare: 'difference',
      bar: 60,
    },
  ];
}
