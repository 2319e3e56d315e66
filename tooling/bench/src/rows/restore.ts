import { alternate, type Side } from '../alternate.ts';
import type { Bench } from '../bench.ts';
import type { Measurement } from '../measurement.ts';
import { readFiles } from '../read-files.ts';
import { importRepository, restoredTree, snapshotTree, takeSnapshot } from '../repository.ts';
import { run } from '../run.ts';
import { describeCommand, discard, jvs, settle } from '../workbench.ts';
import { cloneCommands, clonePeer } from './clone-peer.ts';

/** A snapshot restored as a new worktree. Between rounds its tree goes; its name and records stay. */
export async function restore(bench: Bench): Promise<Measurement[]> {
  const repository = await importRepository(bench, bench.source);
  const id = await takeSnapshot(bench, repository);
  const ours: Side = {
    name: 'jvs restore',
    once: async (round) => {
      const name = `round-${round}`;
      readFiles(snapshotTree(repository, id));
      await settle(bench);
      const { ms } = await run(jvs(bench, repository.main, ['restore', id, '--name', name]));
      await discard(restoredTree(repository, name));
      return ms;
    },
  };
  const [restores, copies] = await alternate(bench.rounds, [ours, clonePeer(bench)], bench.tell);
  await discard(repository.root);
  return [
    {
      what: 'Restore into a new worktree',
      unit: 'ms',
      jvs: { command: 'jvs restore <id> --name <name>', values: restores },
      peer: {
        name: '`cp -a --reflink` + `sync -f`',
        command: describeCommand(bench, ...cloneCommands(bench)),
        values: copies,
      },
      compare: 'ratio',
      bar: 1.2,
    },
  ];
}
