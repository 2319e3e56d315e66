import { alternate, type Side } from '../alternate.ts';
import type { Bench } from '../bench.ts';
import type { Measurement } from '../measurement.ts';
import { readFiles } from '../read-files.ts';
import { fillRepository } from '../repository.ts';
import { run } from '../run.ts';
import { describeCommand, discard, jvs, settle } from '../workbench.ts';
import { cloneCommands, clonePeer } from './clone-peer.ts';

/** The first snapshot of a repository, a new one each round: the tree is in `main`, and the lock is held. */
export async function firstSnapshot(bench: Bench): Promise<Measurement[]> {
  const ours: Side = {
    name: 'jvs snapshot',
    once: async () => {
      const { root, main } = await fillRepository(bench, bench.source);
      readFiles(main);
      await settle(bench);
      const { ms } = await run(jvs(bench, main, ['snapshot']));
      await discard(root);
      return ms;
    },
  };
  const [snapshots, copies] = await alternate(bench.rounds, [ours, clonePeer(bench)], bench.tell);
  return [
    {
      what: 'First snapshot',
      unit: 'ms',
      jvs: { command: 'jvs snapshot', values: snapshots },
      peer: {
        name: '`cp -a --reflink` + `sync -f`',
        command: describeCommand(bench, ...cloneCommands(bench)),
        values: copies,
      },
      compare: 'ratio',
      bar: 1.4,
    },
  ];
}
