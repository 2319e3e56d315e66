import { hasCode } from '@jvs/platform/errors';
import type { Command } from './command.ts';
import { armFromVariable } from './failpoint-variable.ts';
import { catchInterruptions, interruptionCode, isInterruption } from './interrupted.ts';
import { parseLine } from './parse-line.ts';
import { errorDocument, renderError } from './render-error.ts';
import { setTerminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export interface CliOptions {
  version: string;
  commands: readonly Command[];
  /** Exit status by error code, where it is neither 1 nor, for `E_USAGE`, 2. */
  exitCodes?: Readonly<Record<string, number>>;
  /** What the exit codes mean, for `--help`. Default: those every command has. */
  exitCodeMeanings?: readonly (readonly [code: string, meaning: string])[];
  /** Further text for the end of `--help`. */
  epilogue?: string;
  /** The words after the program's name. Default: those of this process. */
  line?: readonly string[];
}

const EXIT_CODE_MEANINGS = [
  ['0', 'success'],
  ['1', 'failure; stderr names its class, E_…'],
  ['2', 'wrong arguments or flags, unknown command'],
  ['130, 143', 'interrupted by SIGINT, SIGTERM; what was done so far is kept'],
] as const;

/**
 * Runs the command that the line names, and sets the exit status. The one place where errors become text: on stderr,
 * and with `--json` as one document on stdout.
 */
export async function runCli(name: string, options: CliOptions): Promise<void> {
  const line = options.line ?? process.argv.slice(2);
  // Until the line is understood, its words must do: a wrong line is reported as JSON too.
  const flags = line.includes('--') ? line.slice(0, line.indexOf('--')) : line;
  const json = flags.includes('--json') || flags.includes('--json=true');
  setTerminal({ name, noColor: flags.includes('--no-color') });
  guardStreams();
  catchInterruptions();
  const fail = (error: unknown): void => reportFailure(name, error, json, options.exitCodes ?? {});
  process.on('uncaughtException', (error) => {
    fail(error);
    process.exit();
  });

  try {
    armFromVariable(process.env['JVS_FAILPOINT']);
    const parsed = parseLine(name, line, { ...options, epilogue: epilogueOf(options) });
    if (parsed.type === 'text') {
      process.stdout.write(`${parsed.text.trimEnd()}\n`);
      return;
    }
    const { quiet, progress, 'no-color': noColor, C: directory } = parsed.args;
    setTerminal({ quiet, progress, noColor });
    if (directory !== undefined) enter(directory);
    await parsed.run();
  } catch (error) {
    fail(error);
  }
}

function reportFailure(name: string, error: unknown, json: boolean, exitCodes: Readonly<Record<string, number>>): void {
  const interruption = interruptionCode();
  if (isInterruption(error)) {
    process.stderr.write(`${name}: interrupted\n`);
    process.exitCode = interruption;
    return;
  }
  const document = errorDocument(error);
  process.stderr.write(renderError(name, error));
  if (json) process.stdout.write(`${JSON.stringify({ error: document }, null, 2)}\n`);
  process.exitCode = interruption ?? exitCodes[document.code] ?? (document.code === 'E_USAGE' ? 2 : 1);
}

function enter(directory: string): void {
  try {
    process.chdir(directory);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG', 'ELOOP')) throw error;
    throw new UsageError(`-C ${directory} is no directory to work in`, { cause: error });
  }
}

/** A reader that has seen enough, as `head` has, is no failure: the program ends quietly. */
function guardStreams(): void {
  process.stdout.on('error', (error) => {
    if (!hasCode(error, 'EPIPE')) throw error;
    process.exit();
  });
  process.stderr.on('error', (error) => {
    if (!hasCode(error, 'EPIPE')) throw error;
  });
}

function epilogueOf({ epilogue, exitCodeMeanings = EXIT_CODE_MEANINGS }: CliOptions): string {
  const width = Math.max(...exitCodeMeanings.map(([code]) => code.length));
  const table = exitCodeMeanings.map(([code, meaning]) => `  ${code.padEnd(width)}  ${meaning}`).join('\n');
  return `Exit codes:\n${table}${epilogue === undefined ? '' : `\n\n${epilogue}`}`;
}
