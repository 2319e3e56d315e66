import {
  colorsFor,
  formatBytes,
  interrupted,
  printFailedResult,
  printResult,
  UsageError,
  withProgress,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { Diagnosis, FilesystemProbe, Finding, RepairName } from '@jvs/core-repo';
import { currentRepository, requestedEngine } from '../caller.ts';

interface DoctorArgs extends GlobalArgs {
  strict: boolean;
  'repair-runtime': boolean;
  repair: RepairName | undefined;
  'dry-run': boolean;
  fs: boolean;
}

/** Spelled out so that the line can be understood before the library is loaded; the compiler compares. */
const REPAIRS = [
  'clean_locks',
  'settle',
  'clean_intents',
  'clean_tmp',
  'rebuild_index',
  'rebuild_manifest',
  'audit_backfill',
  'reserve',
  'advance_head',
  'drop_orphan',
  'log_repair',
  'audit_repair',
  'reset_state',
] as const satisfies readonly RepairName[];

export const doctorCommand: CommandModule<GlobalArgs, DoctorArgs> = {
  command: 'doctor',
  describe: 'Examine the repository, and repair what crashes left',
  examples: [
    ['jvs doctor --strict', 'everything, every byte read'],
    ['jvs doctor --repair-runtime', 'clean up after crashes; never deletes a complete snapshot'],
    ['jvs doctor --repair audit_repair --dry-run', 'what that repair would be about'],
    ['jvs doctor --fs', 'how snapshots are made here, and what they keep'],
  ],
  builder: (yargs) =>
    yargs
      .option('strict', { type: 'boolean', default: false, describe: 'also verify every snapshot and log' })
      .option('repair-runtime', { type: 'boolean', default: false, describe: 'first repair what needs no decision' })
      .option('repair', { choices: REPAIRS, describe: 'first make this one repair' })
      .option('dry-run', { type: 'boolean', default: false, describe: 'only tell what repairs would be made' })
      .option('fs', {
        type: 'boolean',
        default: false,
        describe: 'instead tell of the filesystem, the engine and its speed',
      })
      .check(({ fs, strict, repair, 'repair-runtime': runtime, 'dry-run': dryRun }) => {
        if (fs && (strict || runtime || dryRun || repair !== undefined)) {
          throw new UsageError('--fs is a question of its own, and goes with no other flag of doctor');
        }
        return true;
      }),
  handler: async ({ json, strict, repairRuntime, repair, dryRun, fs, debug }) => {
    const { diagnosisFailure, doctor, probeFilesystem } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    if (fs) {
      const probe = await probeFilesystem(r, { engine: requestedEngine(undefined), signal: interrupted() });
      printResult(json, probe, () => describeProbe(probe));
      return;
    }
    const diagnosis = await withProgress((onProgress) =>
      doctor(r, { strict, repairRuntime, repair, dryRun, onProgress, signal: interrupted() }),
    );
    const result = dryRun ? { dry_run: true, ...diagnosis } : diagnosis;
    const human = (): string => describe(diagnosis, dryRun);
    const failure = diagnosisFailure(diagnosis);
    if (failure === undefined) printResult(json, result, human);
    else printFailedResult(json, result, human, failure);
  },
};

function describe({ healthy, findings, repairs, kept }: Diagnosis, dryRun: boolean): string {
  const { green } = colorsFor('stdout');
  return [
    ...repairs.map(
      ({ repair, description }) => `${dryRun ? `Would ${repair}` : `Repaired (${repair})`}: ${description}`,
    ),
    ...(findings.length > 0 ? [`Findings (${findings.length}):`] : []),
    ...findings.flatMap(describeFinding),
    ...kept.map(({ path, bytes, until }) => {
      const end = until === null ? 'nothing deletes it' : `until ${until}`;
      return `Kept: ${path} (${formatBytes(bytes)}, ${end})`;
    }),
    ...(healthy ? [green('Repository is healthy.')] : []),
  ].join('\n');
}

function describeFinding({ severity, category, description, repair }: Finding): string[] {
  const { red, yellow, cyan, dim } = colorsFor('stdout');
  const colors = { info: dim, warning: yellow, error: red, critical: red };
  const line = `  [${colors[severity](severity)}] ${category}: ${description}`;
  return repair === null ? [line] : [line, `    ${cyan('fix:')} ${commandFor(repair)}`];
}

function commandFor(repair: RepairName): string {
  const isExplicit = REPAIRS.indexOf(repair) >= REPAIRS.indexOf('advance_head');
  return isExplicit ? `jvs doctor --repair ${repair}` : 'jvs doctor --repair-runtime';
}

function describeProbe({ engine, reason, keeps, loses, cost, us_per_file: speed }: FilesystemProbe): string {
  return [
    `Engine: ${engine}`,
    `  Why: ${reason}`,
    `  Keeps: ${keeps.join(', ')}`,
    `  Loses: ${loses.join(', ')}`,
    `  Cost: ${cost}`,
    `  Measured: ${speed} µs per file`,
  ].join('\n');
}
