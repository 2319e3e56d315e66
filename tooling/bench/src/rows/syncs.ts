import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { makeTree } from '../make-tree.ts';
import type { Measurement, Series } from '../measurement.ts';
import { importRepository } from '../repository.ts';
import { run } from '../run.ts';
import { command, discard, jvs } from '../workbench.ts';

const FEW = 100;
const MANY = 10_000;
const CALLS = 'sync,syncfs,fsync,fdatasync';

interface SyncCalls {
  syncfs: number;
  fsync: number;
}

/** How often a snapshot waits for the disk, whatever the number of files. */
export async function syncs(bench: Bench): Promise<Measurement[]> {
  const few = await syncCalls(bench, FEW);
  const many = await syncCalls(bench, MANY);
  const series = (value: number): Series => ({ command: `strace -f -e trace=${CALLS} jvs snapshot`, values: [value] });
  const limited = { unit: 'calls', compare: 'largest', bar: 2 } as const;
  return [
    { what: `syncfs in a snapshot, ${FEW} files`, jvs: series(few.syncfs), ...limited },
    { what: `syncfs in a snapshot, ${MANY} files`, jvs: series(many.syncfs), ...limited },
    {
      what: `fsync in a snapshot, ${MANY} files`,
      unit: 'calls',
      jvs: series(many.fsync),
      peer: { name: `the same, ${FEW} files`, ...series(few.fsync) },
      compare: 'difference',
      // A renewal of the lock that happens to fall into the longer one.
      bar: 2,
    },
  ];
}

async function syncCalls(bench: Bench, files: number): Promise<SyncCalls> {
  const source = join(bench.dir, 'small');
  makeTree(source, files);
  const { root, main } = await importRepository(bench, source);
  const { program, args } = jvs(bench, main, ['snapshot']);
  const trace = join(bench.dir, 'trace');
  const options = ['-f', '-qq', '-e', `trace=${CALLS}`, '-o', trace];
  await run(command(bench, 'strace', [...options, program, ...args], main));
  const lines = (await readFile(trace, 'latin1')).split('\n');
  await discard(source, root, trace);
  const count = (call: RegExp): number => lines.filter((line) => call.test(line)).length;
  const calls = { syncfs: count(/^\d+ +sync(fs)?\(/), fsync: count(/^\d+ +(fsync|fdatasync)\(/) };
  bench.tell(`${files} files: ${calls.syncfs} syncfs, ${calls.fsync} fsync`);
  return calls;
}
