import { colorsFor, formatBytes, interrupted, printResult, withProgress, type CommandModule, type GlobalArgs } from '@jvs/cli-kit';
import type { Diagnosis } from '@jvs/core-repo';
import { currentRepository } from '../caller.ts';

interface DoctorArgs extends GlobalArgs {
  strict: boolean;
  'repair-runtime': boolean;
}

export const doctorCommand: CommandModule<GlobalArgs, DoctorArgs> = {
  command: 'doctor',
  describe: 'Examine the repository, and repair what crashes left',
  examples: [
    ['jvs doctor --strict', 'everything, every byte read'],
    ['jvs doctor --repair-runtime', 'clean up after crashes; never deletes a complete snapshot'],
  ],
  builder: (yargs) =>
    yargs
      .option('strict', { type: 'boolean', default: false, describe: 'also verify every snapshot and log' })
      .option('repair-runtime', { type: 'boolean', default: false, describe: 'first repair what needs no decision' }),
  handler: async ({ json, strict, repairRuntime, debug }) => {
    const { doctor } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    const diagnosis = await withProgress((onProgress) =>
      doctor(r, { strict, repairRuntime, onProgress, signal: interrupted() }),
    );
    printResult(json, diagnosis, () => describe(diagnosis));
    if (!diagnosis.healthy) process.exitCode = 1;
  },
};

function describe({ healthy, findings, repairs, kept }: Diagnosis): string {
  const { red, yellow, green, dim } = colorsFor('stdout');
  const colors = { info: dim, warning: yellow, error: red, critical: red };
  return [
    ...repairs.map(({ repair, description }) => `Repaired (${repair}): ${description}`),
    ...(findings.length > 0 ? [`Findings (${findings.length}):`] : []),
    ...findings.map(({ severity, category, description }) => `  [${colors[severity](severity)}] ${category}: ${description}`),
    ...kept.map(({ path, bytes }) => `Kept: ${path} (${formatBytes(bytes)})`),
    ...(healthy ? [green('Repository is healthy.')] : []),
  ].join('\n');
}
