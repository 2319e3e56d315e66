import yargs, { type Argv, type Options } from 'yargs';
import { type Command, commandName, type GlobalArgs, isGroup, type LeafCommand } from './command.ts';
import { asTyped, explainFailure, NO_COMMAND, positionalNames } from './explain-failure.ts';
import { shieldWords } from './shield-words.ts';
import { UsageError } from './usage-error.ts';

/** The flags of every command. `no-color` is a flag of its own, not the negation of another one. */
export const GLOBAL_OPTIONS = {
  json: { type: 'boolean', default: false, describe: 'print the result as one JSON document' },
  quiet: { type: 'boolean', default: false, describe: 'show no progress and no warnings' },
  debug: { type: 'boolean', default: false, describe: 'tell on stderr what happens inside' },
  'no-color': { type: 'boolean', default: false, describe: 'print without colours (so does NO_COLOR)' },
  progress: {
    choices: ['auto', 'json'] as const,
    default: 'auto' as const,
    describe: 'how to report progress on stderr',
  },
  C: { type: 'string', describe: 'work as if started in <dir>' },
} satisfies Record<string, Options>;

interface ParsedArgs extends GlobalArgs {
  'no-color': boolean;
  C: string | undefined;
}

export interface Grammar {
  version: string;
  commands: readonly Command[];
  /** What stands at the end of every `--help`. */
  epilogue: string;
}

/** What the line asks for: a text to print (`--help`, `--version`), or a command to run. */
export type ParsedLine = { type: 'text'; text: string } | { type: 'run'; args: ParsedArgs; run: () => Promise<void> };

/** @throws UsageError (`E_USAGE`) */
export function parseLine(name: string, line: readonly string[], grammar: Grammar): ParsedLine {
  let chosen: { args: ParsedArgs; run: () => Promise<void> } | undefined;
  let shown = '';
  const shield = shieldWords(line);
  const explain = (message: string, parser: Argv<GlobalArgs>): UsageError => {
    const flags = Object.keys(optionsOf(parser).key);
    return explainFailure(shield.restoreText(message), { name, words: line, commands: grammar.commands, flags });
  };
  const parser = parserFor(name, grammar, explain, (command, args) => {
    const restored = shield.restore(args);
    chosen = { args: restored, run: async () => command.handler(restored as never) };
  });
  parser.parseSync(shield.line, {}, (error: unknown, _args, output) => {
    if (error instanceof Error) throw error;
    shown = output;
  });
  if (chosen !== undefined) return { type: 'run', ...chosen };
  return { type: 'text', text: shown.includes('\n') ? `${tidyHelp(shown)}\n\n${grammar.epilogue}` : shown };
}

/** Says nothing of types and defaults that go without saying; on a narrow terminal they stand on lines of their own. */
function tidyHelp(text: string): string {
  return text
    .replace(/\n +\[boolean\](?: \[default: (?:false|\[\])\])?(?=\n|$)/g, '')
    .replace(/ *\[boolean\]| \[default: (?:false|\[\])\]/g, '')
    .replace(/ +$/gm, '')
    .trimEnd();
}

type OnChosen = (command: LeafCommand, args: ParsedArgs) => void;

function parserFor(
  name: string,
  { version, commands }: Grammar,
  explain: (message: string, parser: Argv<GlobalArgs>) => UsageError,
  onChosen: OnChosen,
): Argv<GlobalArgs> {
  const parser: Argv<GlobalArgs> = yargs()
    .scriptName(name)
    .locale('en')
    .parserConfiguration({
      'boolean-negation': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .options(GLOBAL_OPTIONS)
    .group([...Object.keys(GLOBAL_OPTIONS), 'help', 'version'], 'Global flags:')
    .requiresArg(['C', 'progress'])
    .version(version)
    .alias('help', 'h')
    .usage(`${name} <command> [flags]`)
    .wrap(Math.min(100, process.stdout.columns || 100))
    .exitProcess(false)
    .strict()
    .check((args) => refuseRepeatedAndNoNumbers(args, parser));
  keepNoHelpForLater(parser);
  addCommands(parser, [], commands, onChosen);
  return parser.fail((message, error) => {
    if (error instanceof Error && error.name !== 'YError') throw error;
    throw explain(message ?? '', parser);
  });
}

/** Adds the commands that come after `path`, and demands that one of them is named. */
function addCommands(
  parser: Argv<GlobalArgs>,
  path: readonly string[],
  commands: readonly Command[],
  onChosen: OnChosen,
): void {
  for (const command of commands) {
    const names = [command.command, ...(command.aliases ?? [])];
    const prefix = path.map((word) => `${word} `).join('');
    parser.command(
      names,
      command.describe,
      (inner: Argv<GlobalArgs>) => {
        if (isGroup(command)) {
          inner.usage(`$0 ${prefix}${command.command} <command> [flags]`);
          addCommands(inner, [...path, commandName(command)], command.commands, onChosen);
          return inner;
        }
        inner
          .usage(`$0 ${prefix}${command.command} [flags]\n\n${command.describe}`)
          .group([], 'Positionals:')
          .group([], 'Options:');
        command.builder?.(inner);
        for (const [example, meaning] of command.examples ?? []) inner.example(example, meaning);
        const { string, number, array } = optionsOf(inner);
        const positional = new Set(positionalNames(command.command));
        inner.requiresArg([...string, ...number, ...array].filter((key) => !positional.has(key)));
        return inner;
      },
      (args) => {
        if (!isGroup(command)) onChosen(command, args as unknown as ParsedArgs);
      },
    );
  }
  parser.demandCommand(1, NO_COMMAND);
}

/** yargs makes a list of a flag that is given twice, and NaN of a number that is none. */
function refuseRepeatedAndNoNumbers(args: Record<string, unknown>, parser: Argv<GlobalArgs>): true {
  const lists = new Set(optionsOf(parser).array);
  for (const [key, value] of Object.entries(args)) {
    if (key === '_' || key === '--') continue;
    // Of a flag with dashes there is a second key, in camel case.
    const isList = lists.has(key) || lists.has(asTyped(key).slice(2));
    if (Array.isArray(value) && !isList) throw new UsageError(`${asTyped(key)} is given more than once`);
    if (typeof value === 'number' && Number.isNaN(value)) throw new UsageError(`${asTyped(key)} wants a number`);
  }
  return true;
}

/** An argument or a flag, as a command declares it. */
export interface DeclaredOption {
  name: string;
  /** As typed: `--limit`, `-n`; none of a positional argument. */
  flags: readonly string[];
  about: string;
  takesValue: boolean;
  isNumber: boolean;
  isList: boolean;
  choices: readonly string[];
}

/** What may stand on the line of `command`, the flags of every command included. */
export function declaredOptions(command: LeafCommand | undefined): DeclaredOption[] {
  const parser = yargs().help(false).version(false) as unknown as Argv<GlobalArgs>;
  command?.builder?.(parser);
  // The command's own come first.
  parser
    .options(GLOBAL_OPTIONS)
    .option('help', { alias: 'h', type: 'boolean', describe: 'show help' })
    .option('version', { type: 'boolean', describe: 'show the version' });
  const positional = new Set(command === undefined ? [] : positionalNames(command.command));
  const { key, alias, boolean, number, array, choices } = optionsOf(parser);
  const descriptions = usageOf(parser).getDescriptions();
  const aliases = new Set(Object.values(alias).flat());
  const names = Object.keys(key).filter((name) => !aliases.has(name) || name in alias);
  return [...new Set([...names, ...positional])].map((name) => ({
    name,
    flags: positional.has(name)
      ? []
      : [name, ...(alias[name] ?? [])].filter((each) => !/.[A-Z]/.test(each)).map((each) => asTyped(each)),
    about: descriptions[name] ?? '',
    takesValue: !boolean.includes(name),
    isNumber: number.includes(name),
    isList: array.includes(name),
    choices: (choices[name] ?? []).map(String),
  }));
}

interface KnownOptions {
  array: string[];
  string: string[];
  number: string[];
  boolean: string[];
  key: Record<string, unknown>;
  alias: Record<string, readonly string[]>;
  choices: Record<string, readonly unknown[]>;
}

/** What has been declared so far. yargs has this method, its types have not. */
function optionsOf(parser: Argv<GlobalArgs>): KnownOptions {
  return (parser as unknown as { getOptions(): KnownOptions }).getOptions();
}

/**
 * After a command's handler yargs lays out the help text, in case somebody asks for it later. Nobody does here, and it
 * is a third of what a whole parse takes.
 */
function keepNoHelpForLater(parser: Argv<GlobalArgs>): void {
  usageOf(parser).cacheHelpMessage = () => {};
}

interface Usage {
  cacheHelpMessage(): void;
  getDescriptions(): Record<string, string | undefined>;
}

function usageOf(parser: Argv<GlobalArgs>): Usage {
  const internal = parser as unknown as { getInternalMethods(): { getUsageInstance(): Usage } };
  return internal.getInternalMethods().getUsageInstance();
}
