import { hasCode } from '@jvs/platform/errors';
import type { Command } from './command.ts';
import { armFromVariable } from './failpoint-variable.ts';
import { catchInterruptions, interruptionCode, isInterruption } from './interrupted.ts';
import { errorDocument } from './render-error.ts';
import { tellFailure } from './tell-failure.ts';
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
  setTerminal({ name, noColor: flags.includes('--no-color'), exitCodes: options.exitCodes ?? {} });
  guardStreams();
  catchInterruptions();
  const fail = (error: unknown): void => reportFailure(name, error, json);
  process.on('uncaughtException', (error) => {
    fail(error);
    process.exit();
  });

  try {
    armFromVariable(process.env['JVS_FAILPOINT']);
    const { parseLine } = await loadParser(flags);
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

/** An interruption has no class and no document: stdout is then empty with `--json` too. */
function reportFailure(name: string, error: unknown, json: boolean): void {
  if (isInterruption(error)) {
    process.stderr.write(`${name}: interrupted\n`);
    process.exitCode = interruptionCode();
    return;
  }
  tellFailure(error);
  if (json) process.stdout.write(`${JSON.stringify({ error: errorDocument(error) }, null, 2)}\n`);
}

/** yargs asks for the working directory as soon as it is loaded, so that must be one that exists. */
async function loadParser(flags: readonly string[]): Promise<typeof import('./parse-line.ts')> {
  try {
    process.cwd();
  } catch (cause) {
    const directory = directoryIn(flags);
    if (directory === undefined) {
      const hint = 'Go to one that does: cd "$PWD" enters its successor.';
      throw new UsageError('The working directory no longer exists', { cause, hint });
    }
    enter(directory);
  }
  return await import('./parse-line.ts');
}

/** What `-C` names. */
function directoryIn(flags: readonly string[]): string | undefined {
  const at = flags.findLastIndex((word) => word === '-C' || word.startsWith('-C='));
  return flags[at] === '-C' ? flags[at + 1] : flags[at]?.slice(3);
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
