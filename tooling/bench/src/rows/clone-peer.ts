import { join } from 'node:path';
import type { Side } from '../alternate.ts';
import type { Bench } from '../bench.ts';
import { readFiles } from '../read-files.ts';
import { run, type Command } from '../run.ts';
import { command, discard, settle } from '../workbench.ts';

/** What jvs is held against where it clones a tree: cp by reflinks, and the sync that makes the copy durable. */
export function cloneCommands(bench: Bench): [Command, Command] {
  const { source } = bench;
  const target = join(bench.dir, 'copy');
  return [command(bench, 'cp', ['-a', '--reflink=always', source, target]), command(bench, 'sync', ['-f', target])];
}

export function clonePeer(bench: Bench): Side {
  return {
    name: 'cp + sync',
    once: async () => {
      readFiles(bench.source);
      await settle(bench);
      const { ms } = await run(...cloneCommands(bench));
      await discard(join(bench.dir, 'copy'));
      return ms;
    },
  };
}
