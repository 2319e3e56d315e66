import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import type { Bench } from '../bench.ts';
import type { Measurement } from '../measurement.ts';
import { measurePeakMemory, type PeakMemory } from '../peak-memory.ts';
import { importRepository, restoredTree, type TestRepository } from '../repository.ts';
import { readFiles } from '../read-files.ts';
import { discard, jvs, settle } from '../workbench.ts';

const BAR_MB = 200;
const MB = 1e6;

/** The most memory that jvs, its threads and the programs it starts have at once. */
export async function memory(bench: Bench): Promise<Measurement[]> {
  // Pages of a program count a part for each process that runs it; with a Node of its own, jvs is charged for all of it.
  const node = join(bench.dir, 'node');
  await copyFile(process.execPath, node);
  const peaks = { snapshot: [] as PeakMemory[], restore: [] as PeakMemory[], verify: [] as PeakMemory[] };
  const measure = async (what: keyof typeof peaks, { main }: TestRepository, args: string[]): Promise<void> => {
    await settle(bench);
    const peak = await measurePeakMemory(jvs(bench, main, args, node));
    peaks[what].push(peak);
    const { pss, peakRss, samples } = peak;
    bench.tell(`jvs ${what}: ${(pss / MB).toFixed(0)} MB, at most ${(peakRss / MB).toFixed(0)} MB, ${samples} samples`);
  };
  for (let round = 0; round < bench.rounds; round++) {
    const repository = await importRepository(bench, bench.source);
    readFiles(repository.main);
    await measure('snapshot', repository, ['snapshot']);
    await measure('restore', repository, ['restore', 'HEAD', '--name', 'restored']);
    await discard(restoredTree(repository, 'restored'));
    await measure('verify', repository, ['verify', 'HEAD']);
    await discard(repository.root);
  }
  return [
    ...measurements('First snapshot', 'jvs snapshot', peaks.snapshot),
    ...measurements('Restore into a new worktree', 'jvs restore <id> --name <name>', peaks.restore),
    ...measurements('Verify one snapshot', 'jvs verify <id>', peaks.verify),
  ];
}

function measurements(what: string, command: string, peaks: readonly PeakMemory[]): Measurement[] {
  const series = (values: number[]) => ({ command, values: values.map((bytes) => bytes / MB) });
  return [
    {
      what: `${what}: memory`,
      unit: 'MB',
      jvs: series(peaks.map(({ pss }) => pss)),
      compare: 'largest',
      bar: BAR_MB,
    },
    {
      what: `${what}: memory, upper bound`,
      unit: 'MB',
      jvs: series(peaks.map(({ peakRss }) => peakRss)),
      compare: 'largest',
    },
  ];
}
