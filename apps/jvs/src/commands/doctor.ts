import {
  colorsFor,
  formatBytes,
  interrupted,
  printResult,
  withProgress,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { Diagnosis, RepairName } from '@jvs/core-repo';
import { currentRepository } from '../caller.ts';

interface DoctorArgs extends GlobalArgs {
  strict: boolean;
  'repair-runtime': boolean;
  repair: RepairName | undefined;
  'dry-run': boolean;
}

/** Spelled out so that the line can be understood before the library is loaded; the compiler compares. */
const REPAIRS = [
  'clean_locks',
  'settle',
  'clean_intents',
  'clean_tmp',
  'rebuild_manifest',
  'audit_backfill',
  'reserve',
  'advance_head',
  'drop_orphan',
] as const satisfies readonly RepairName[];

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
      .option('repair-runtime', { type: 'boolean', default: false, describe: 'first repair what needs no decision' })
      .option('repair', { choices: REPAIRS, describe: 'first make this one repair' })
      .option('dry-run', { type: 'boolean', default: false, describe: 'only tell what repairs would be made' }),
  handler: async ({ json, strict, repairRuntime, repair, dryRun, debug }) => {
    const { doctor } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    const diagnosis = await withProgress((onProgress) =>
      doctor(r, { strict, repairRuntime, repair, dryRun, onProgress, signal: interrupted() }),
    );
    const result = dryRun ? { dry_run: true, ...diagnosis } : diagnosis;
    printResult(json, result, () => describe(diagnosis, dryRun));
    if (!diagnosis.healthy) process.exitCode = 1;
  },
};

function describe({ healthy, findings, repairs, kept }: Diagnosis, dryRun: boolean): string {
  const { red, yellow, green, dim } = colorsFor('stdout');
  const colors = { info: dim, warning: yellow, error: red, critical: red };
  return [
    ...repairs.map(
      ({ repair, description }) => `${dryRun ? `Would ${repair}` : `Repaired (${repair})`}: ${description}`,
    ),
    ...(findings.length > 0 ? [`Findings (${findings.length}):`] : []),
    ...findings.map(
      ({ severity, category, description }) => `  [${colors[severity](severity)}] ${category}: ${description}`,
    ),
    ...kept.map(({ path, bytes }) => `Kept: ${path} (${formatBytes(bytes)})`),
    ...(healthy ? [green('Repository is healthy.')] : []),
  ].join('\n');
}
