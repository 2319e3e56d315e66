import type { ArgumentsCamelCase, Argv } from 'yargs';

/** What every command of every app understands, anywhere on the line. */
export interface GlobalArgs {
  /** The result as one JSON document on stdout, a failure likewise. */
  json: boolean;
  /** No progress and no warnings. */
  quiet: boolean;
  /** Tells on stderr what happens inside. */
  debug: boolean;
  /** `auto`: a status line when stderr is a terminal; `json`: one event a line on stderr. */
  progress: 'auto' | 'json';
}

/**
 * What a shell offers for arguments and values of flags, by their names: a kind that the app can list, or null where only
 * something new fits. What is not named here and is called like a kind takes that; then come choices, then files.
 */
export type Completes = Readonly<Record<string, string | null>>;

/** One command: how it is spelled, what it takes, what it does. */
export interface CommandModule<Global extends GlobalArgs, Args extends Global> {
  /** Name and positional arguments in yargs's notation, as in `snapshot [note]`. */
  command: string;
  aliases?: readonly string[];
  /** Imperative, without a full stop. */
  describe: string;
  /** Lines for `--help`: the command line as typed, and what it does. */
  examples?: readonly (readonly [line: string, meaning: string])[];
  completes?: Completes;
  builder?: (yargs: Argv<Global>) => Argv<Args>;
  handler: (args: ArgumentsCamelCase<Args>) => Promise<void> | void;
}

/** A {@link CommandModule} with its arguments' type forgotten, as lists of commands hold it. */
export interface LeafCommand {
  command: string;
  aliases?: readonly string[];
  describe: string;
  examples?: readonly (readonly [line: string, meaning: string])[];
  completes?: Completes;
  builder?: (yargs: Argv<GlobalArgs>) => unknown;
  handler: (args: never) => Promise<void> | void;
}

/** A word that only leads to further commands, as `lock` does to `lock acquire`. */
export interface CommandGroup {
  command: string;
  aliases?: readonly string[];
  describe: string;
  commands: readonly Command[];
}

export type Command = LeafCommand | CommandGroup;

export function isGroup(command: Command): command is CommandGroup {
  return 'commands' in command;
}

/** The word that names the command, without its positional arguments. */
export function commandName(command: Command): string {
  return command.command.split(' ', 1)[0] ?? '';
}
