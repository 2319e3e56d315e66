import { type Command, commandName, isGroup, type LeafCommand } from './command.ts';
import { suggest } from './suggest.ts';
import { UsageError } from './usage-error.ts';

/** What the parser says when no word of the line names a command. */
export const NO_COMMAND = 'No command is given';

interface Line {
  name: string;
  words: readonly string[];
  commands: readonly Command[];
  /** Every flag that is valid at this point, without dashes. */
  flags: readonly string[];
}

/** Turns what yargs says about a wrong line into a usage error that names the likely meaning and where to read on. */
export function explainFailure(message: string, line: Line): UsageError {
  const { words } = line;
  const place = placeOf(line);
  const hint = `See ${[line.name, ...place.path].join(' ')} --help.`;
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/s.exec(message)?.[1];
  if (unknown !== undefined) return explainUnknown([...new Set(unknown.split(', ').map(kebab))], line, place, hint);

  // An unknown flag takes the next word for its value, and that may have been the command.
  const stray = words.find(
    (word) => word.startsWith('--') && !line.flags.includes(word.slice(2).split('=', 1)[0] ?? ''),
  );
  if (message === NO_COMMAND && stray !== undefined) return explainUnknown([stray.slice(2)], line, place, hint);

  const choice = /Argument: (\S+), Given: (.*?), Choices: (.*)/s.exec(message);
  if (choice !== null) {
    const [, key = '', given = '', choices = ''] = choice;
    const valid = choices.trim().replaceAll('"', '');
    return new UsageError(`${asTyped(key, place.leaf)} is ${given}, but can only be one of: ${valid}`, { hint });
  }
  const lacking = /^Not enough arguments following: (.*)$/.exec(message)?.[1];
  if (lacking !== undefined) return new UsageError(`${asTyped(lacking)} wants a value`, { hint });
  if (message.startsWith('Not enough non-option arguments') && place.leaf !== undefined) {
    const usage = [line.name, ...place.path.slice(0, -1), place.leaf.command].join(' ');
    return new UsageError(`An argument is missing: ${usage}`, { hint });
  }
  return new UsageError(message.trim().replace(/\s*\n\s*/g, ' '), { hint });
}

function explainUnknown(
  words: readonly string[],
  { words: typed, flags }: Line,
  place: Place,
  hint: string,
): UsageError {
  const [word = ''] = words;
  const isFlag = !typed.includes(word);
  if (isFlag) {
    const meant = suggest(word, flags.map(kebab));
    const named = words.map((flag) => asTyped(flag)).join(', ');
    return new UsageError(`Unknown flag: ${named}`, {
      hint: meant === undefined ? hint : `Did you mean ${asTyped(meant)}?`,
    });
  }
  if (place.leaf !== undefined) return new UsageError(`One argument too many: ${words.join(' ')}`, { hint });
  const names = place.commands.flatMap((command) => [commandName(command), ...(command.aliases ?? [])]);
  const meant = suggest(word, names);
  const path = place.path.map((step) => `${step} `).join('');
  return new UsageError(`Unknown command: ${path}${word}`, {
    hint: meant === undefined ? hint : `Did you mean ${path}${meant}?`,
  });
}

/** How far the words of a line lead into the tree of commands. */
interface Place {
  path: readonly string[];
  /** What could be named next; empty once a command has been reached. */
  commands: readonly Command[];
  leaf: LeafCommand | undefined;
}

function placeOf({ words, commands }: Line): Place {
  let place: Place = { path: [], commands, leaf: undefined };
  for (const [index, word] of words.entries()) {
    if (word.startsWith('-') || words[index - 1] === '-C') continue;
    const named = place.commands.find((command) => commandName(command) === word || command.aliases?.includes(word));
    if (named === undefined) break;
    const path = [...place.path, commandName(named)];
    place = isGroup(named) ? { path, commands: named.commands, leaf: undefined } : { path, commands: [], leaf: named };
  }
  return place;
}

/** `--name`, `-n`, or `<name>` where `name` is a positional argument of the command. */
export function asTyped(key: string, leaf?: LeafCommand): string {
  if (leaf !== undefined && positionalNames(leaf.command).includes(key)) return `<${key}>`;
  return key.length === 1 ? `-${key}` : `--${kebab(key)}`;
}

/** The names in `restore <id> [path..]`: `id` and `path`. */
export function positionalNames(command: string): string[] {
  return [...command.matchAll(/[<[]([^>\].]+)/g)].map((match) => match[1] ?? '');
}

/** yargs reports an unknown `--foo-bar` twice, as `foo-bar` and as `fooBar`. */
function kebab(word: string): string {
  return word.replace(/[A-Z]/g, (letter, at: number) => (at === 0 ? letter : `-${letter.toLowerCase()}`));
}
