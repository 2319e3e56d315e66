import { type Command, commandName, isGroup, type LeafCommand } from './command.ts';
import { type Candidate, candidatesFor, type Slot, type Sources } from './completion-candidates.ts';
import { COMPLETE_WORD } from './completion-script.ts';
import { positionalNames } from './explain-failure.ts';
import type { DeclaredOption } from './parse-line.ts';
import { printable } from './printable.ts';

const DESCRIPTION_LENGTH = 72;

/**
 * Whether the line is a question of a completion script; it then has been answered, whatever happened: on stdout, by exit
 * status 1 where files fit, and without a word about failures, which would only tear up what somebody is typing.
 */
export async function answerCompletion(
  line: readonly string[],
  commands: readonly Command[],
  sources: Sources,
): Promise<boolean> {
  if (line[0] !== COMPLETE_WORD) return false;
  try {
    const candidates = await complete(line.slice(line.indexOf('--') + 1), commands, sources);
    if (candidates === 'files') process.exitCode = 1;
    else process.stdout.write(candidates.map(lineOf).join(''));
  } catch {
    // Nothing to offer.
  }
  return true;
}

function lineOf({ word, about }: Candidate): string {
  const text = printable(about.split('\n', 1)[0] ?? '');
  return `${word}\t${text.length > DESCRIPTION_LENGTH ? `${text.slice(0, DESCRIPTION_LENGTH - 1)}…` : text}\n`;
}

async function complete(
  typed: readonly string[],
  commands: readonly Command[],
  sources: Sources,
): Promise<Candidate[] | 'files'> {
  const { words, isSplit } = joined(typed.map(asShellReads));
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  enterDirectory(before);
  const reached = commandOf(before, commands);
  const { declaredOptions } = await import('./parse-line.ts');
  const options = declaredOptions(reached.leaf);
  const { slot, prefix } = slotOf(before, current, { ...reached, options });
  const wanted = current.slice(prefix.length);
  const candidates = await candidatesFor(slot, wanted, { leaf: reached.leaf, options, sources, given: before });
  if (candidates === 'files') return 'files';
  return candidates
    .filter(({ word }) => word.startsWith(wanted))
    .map(({ word, about }) => ({ word: isSplit ? word : prefix + word, about }));
}

/** bash breaks `--flag=value` at the sign and wants only what comes behind it. */
function joined(typed: readonly string[]): { words: string[]; isSplit: boolean } {
  const words: string[] = [];
  let isSplit = false;
  for (const [index, word] of typed.entries()) {
    const last = words.at(-1) ?? '';
    const isSign = word === '=' && last.startsWith('--') && !last.includes('=');
    isSplit = isSign || (typed[index - 1] === '=' && last.startsWith('--') && last.endsWith('='));
    if (isSplit) words[words.length - 1] = last + word;
    else words.push(word);
  }
  return { words, isSplit };
}

/** Scripts hand words over as they were typed: with quotes, backslashes and the sign of the home directory. */
function asShellReads(word: string): string {
  const home = process.env['HOME'];
  const atHome = home !== undefined && /^~(?=\/|$)/.test(word) ? home + word.slice(1) : word;
  return atHome.replace(/\\(.)|["']/g, '$1');
}

/** As `-C` will when the line is run. @throws Node's errors; there is nothing to offer then */
function enterDirectory(words: readonly string[]): void {
  const at = words.lastIndexOf('-C');
  const directory = words[at + 1];
  if (at >= 0 && directory !== undefined) process.chdir(directory);
}

interface Reached {
  leaf: LeafCommand | undefined;
  /** The commands that may be named next, as long as none is reached. */
  choices: readonly Command[];
  /** How many words that took. */
  depth: number;
}

/** Follows the words down the tree of commands; those that name none are flags and their values. */
function commandOf(words: readonly string[], commands: readonly Command[]): Reached {
  let choices = commands;
  let depth = 0;
  for (const [index, word] of words.entries()) {
    if (words[index - 1] === '-C') continue;
    const named = choices.find((command) => commandName(command) === word || command.aliases?.includes(word));
    if (named === undefined) continue;
    depth += 1;
    if (!isGroup(named)) return { leaf: named, choices: [], depth };
    choices = named.commands;
  }
  return { leaf: undefined, choices, depth };
}

/** What the word at the cursor is: `prefix` of it is fixed, candidates are for the rest. */
function slotOf(
  before: readonly string[],
  current: string,
  { leaf, choices, depth, options }: Reached & { options: readonly DeclaredOption[] },
): { slot: Slot; prefix: string } {
  const optionOf = (flag: string): DeclaredOption | undefined => options.find(({ flags }) => flags.includes(flag));
  let positionals = -depth;
  let isBehindDashes = false;
  let awaiting: DeclaredOption | undefined;
  for (const word of before) {
    if (awaiting !== undefined) awaiting = undefined;
    else if (word === '--') isBehindDashes = true;
    else if (word.startsWith('-') && !isBehindDashes) {
      const option = optionOf(word);
      if (option?.takesValue === true) awaiting = option;
    } else positionals += 1;
  }
  if (awaiting !== undefined) return { slot: { type: 'value', option: awaiting }, prefix: '' };
  if (current.startsWith('-') && !isBehindDashes) {
    const sign = current.indexOf('=');
    const option = sign < 0 ? undefined : optionOf(current.slice(0, sign));
    if (option === undefined) return { slot: { type: 'flag' }, prefix: '' };
    return { slot: { type: 'value', option }, prefix: current.slice(0, sign + 1) };
  }
  if (leaf === undefined) return { slot: { type: 'command', choices }, prefix: '' };
  const names = positionalNames(leaf.command);
  const isOpenEnded = leaf.command.includes('..');
  const name = names[positionals] ?? (isOpenEnded ? names.at(-1) : undefined);
  return { slot: name === undefined ? { type: 'nothing' } : { type: 'argument', name }, prefix: '' };
}
