import { runCli, startCli, type CliOptions, type CliResult, type RunningCli } from './run-cli.ts';

/** The document that a failed command prints with `--json`. */
export interface CliError {
  code: string;
  message: string;
  hint: string | null;
  details: Record<string, unknown>;
}

/** Someone at a terminal: an own home folder, perhaps an own session, and a working directory. */
export class User {
  readonly home: string;
  readonly env: Record<string, string | undefined>;
  cwd: string;

  constructor(home: string, cwd: string, env: Record<string, string | undefined> = {}) {
    this.home = home;
    this.cwd = cwd;
    this.env = { HOME: home, XDG_STATE_HOME: `${home}/state`, XDG_CACHE_HOME: `${home}/cache`, ...env };
  }

  /** The same user elsewhere. */
  at(cwd: string): User {
    return new User(this.home, cwd, this.env);
  }

  /** The same user with these variables set, or taken away by undefined. */
  with(env: Record<string, string | undefined>): User {
    return new User(this.home, this.cwd, { ...this.env, ...env });
  }

  start(args: readonly string[], options: Partial<CliOptions> = {}): RunningCli {
    return startCli(args, { cwd: this.cwd, ...options, env: { ...this.env, ...options.env } });
  }

  async run(args: readonly string[], options: Partial<CliOptions> = {}): Promise<CliResult> {
    return runCli(args, { cwd: this.cwd, ...options, env: { ...this.env, ...options.env } });
  }

  /** Runs a command that must succeed; returns its stdout. */
  async ok(args: readonly string[], options: Partial<CliOptions> = {}): Promise<string> {
    const result = await this.run(args, options);
    if (result.exitCode !== 0) throw new Error(`${lineOf(args)} failed: ${JSON.stringify(result)}`);
    return result.stdout;
  }

  /** Runs a command that must succeed, with `--json`; returns the document. */
  async json<T>(args: readonly string[], options: Partial<CliOptions> = {}): Promise<T> {
    return parse<T>(args, await this.ok(['--json', ...args], options));
  }

  /** Runs a command that must exit 1 with `--json` and still print its result; returns the document. */
  async unhealthy<T>(args: readonly string[], options: Partial<CliOptions> = {}): Promise<T> {
    const result = await this.run(['--json', ...args], options);
    if (result.exitCode !== 1) throw new Error(`${lineOf(args)} did not exit 1: ${JSON.stringify(result)}`);
    return parse<T>(args, result.stdout);
  }

  /**
   * Runs a command that must fail with exit status 1 and the class `code`, named on stderr and in the JSON document,
   * which is returned.
   */
  async fails(args: readonly string[], code: string, options: Partial<CliOptions> = {}): Promise<CliError> {
    const result = await this.run(['--json', ...args], options);
    return errorOf(args, result, code);
  }
}

/** The error document of a command that must have failed with exit status 1 and the class `code`. */
export function errorOf(args: readonly string[], result: CliResult, code: string): CliError {
  const expected = result.exitCode === 1 && result.stderr.includes(`jvs: ${code}: `);
  if (!expected) throw new Error(`${lineOf(args)} did not fail with ${code}: ${JSON.stringify(result)}`);
  const { error } = parse<{ error: CliError }>(args, result.stdout);
  if (error.code !== code) throw new Error(`${lineOf(args)} says ${error.code}, not ${code}, in JSON`);
  return error;
}

function parse<T>(args: readonly string[], stdout: string): T {
  try {
    return JSON.parse(stdout) as T;
  } catch (cause) {
    throw new Error(`${lineOf(args)} printed no JSON document: ${JSON.stringify(stdout)}`, { cause });
  }
}

/** The command as typed, shortened where it is very long. */
function lineOf(args: readonly string[]): string {
  const line = `jvs ${args.join(' ')}`;
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
