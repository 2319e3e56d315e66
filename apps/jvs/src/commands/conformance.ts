import { resolve } from 'node:path';
import {
  colorsFor,
  formatDuration,
  interrupted,
  printFailedResult,
  printResult,
  printWarning,
  UsageError,
  type CommandGroup,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { CheckResult, ConformanceEvent, ConformanceReport } from '@jvs/conformance';
import { ChecksFailedError } from '../checks-failed-error.ts';

interface RunArgs extends GlobalArgs {
  profile: 'dev' | 'release';
  dir: string | undefined;
  bin: string | undefined;
  only: string | undefined;
}

const runCommand: CommandModule<GlobalArgs, RunArgs> = {
  command: 'run',
  describe: 'Judge a program by the 29 checks of the repository format',
  examples: [
    ['jvs conformance run', 'this program, in a minute or two'],
    ['jvs conformance run --bin ./other-jvs --profile release', 'another one, thoroughly'],
    ['jvs conformance run --only 3,23', 'two of the checks'],
  ],
  builder: (yargs) =>
    yargs
      .option('profile', {
        choices: ['dev', 'release'] as const,
        default: 'dev' as const,
        describe: 'release waits for leases and, as root, goes to other filesystems',
      })
      .option('dir', { type: 'string', describe: 'work below this directory (default: that for temporary files)' })
      .option('bin', { type: 'string', describe: 'the program to judge (default: this one)' })
      .option('only', { type: 'string', describe: 'numbers of checks, as in 3,23' })
      .check(({ only }) => {
        parseNumbers(only);
        return true;
      }),
  handler: async ({ json, profile, dir, bin, only }) => {
    const { runConformance } = await import('@jvs/conformance');
    const report = await runConformance({
      profile,
      bin: programOf(bin),
      only: parseNumbers(only),
      directory: dir === undefined ? undefined : resolve(dir),
      searchPath: process.env['PATH'],
      signal: interrupted(),
      onProgress: json ? warnOfMissing : inOrder(describeResult),
    });
    const failure = ChecksFailedError.of(report);
    const human = (): string => summary(report);
    if (failure === undefined) printResult(json, report, human);
    else printFailedResult(json, report, human, failure);
  },
};

export const conformanceCommands: CommandGroup = {
  command: 'conformance',
  describe: 'Check that a program does what the repository format asks',
  commands: [runCommand],
};

function parseNumbers(only: string | undefined): number[] | undefined {
  if (only === undefined) return undefined;
  if (!/^\d+(,\d+)*$/.test(only)) throw new UsageError(`--only is a list of numbers as in 3,23, not "${only}"`);
  return only.split(',').map(Number);
}

/** A name without a slash is looked up on PATH, as shells do. */
function programOf(bin: string | undefined): string | string[] {
  if (bin === undefined) return [process.execPath, resolve(process.argv[1] ?? '')];
  return bin.includes('/') ? resolve(bin) : bin;
}

function warnOfMissing(event: ConformanceEvent): void {
  if (event.type === 'filesystem_missing') printWarning(`not tried on ${event.filesystem}: ${event.reason}`);
}

/** Checks run side by side; their lines appear in the order of their numbers, each as soon as those before it are there. */
function inOrder(describe: (result: CheckResult) => string): (event: ConformanceEvent) => void {
  const started: number[] = [];
  const finished = new Map<number, CheckResult>();
  return (event) => {
    warnOfMissing(event);
    if (event.type === 'started') started.push(event.check);
    if (event.type !== 'finished') return;
    finished.set(event.result.check, event.result);
    for (let next = finished.get(started[0] ?? 0); next !== undefined; next = finished.get(started[0] ?? 0)) {
      const result = next;
      started.shift();
      printResult(false, result, () => describe(result));
    }
  };
}

function describeResult({ check, title, expected, duration_ms: durationMs, error }: CheckResult): string {
  const colors = colorsFor('stdout');
  const verdict = error === null ? colors.green('ok    ') : colors.red('FAILED');
  const line = `${verdict} ${String(check).padStart(2)}  ${title}  ${colors.dim(formatDuration(durationMs))}`;
  if (error === null) return line;
  return [
    line,
    `           expected: ${expected}`,
    `           ${error.class}: ${error.message.replaceAll('\n', '\n           ')}`,
    `           to do it again, paste into sh (or: jvs conformance run --only ${check}):`,
    ...error.reproduce.map((step) => `             ${step}`),
  ].join('\n');
}

function summary({ profile, passed, failed, filesystems }: ConformanceReport): string {
  const also = filesystems.length === 0 ? '' : `, also on ${filesystems.join(', ')}`;
  return `${passed} passed, ${failed} failed (profile ${profile}${also})`;
}
