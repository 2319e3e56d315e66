import { type Command, commandName, type LeafCommand } from './command.ts';
import type { DeclaredOption } from './parse-line.ts';

/** A word to be offered, and what it is, in a few words. */
export interface Candidate {
  word: string;
  about: string;
}

/** What an app can list, by kind: the words that there are at the moment and that begin as typed. */
export type Sources = Readonly<Record<string, (typed: string) => Promise<Candidate[]>>>;

/** What can stand at the cursor. */
export type Slot =
  | { type: 'command'; choices: readonly Command[] }
  | { type: 'flag' }
  | { type: 'value'; option: DeclaredOption }
  | { type: 'argument'; name: string }
  | { type: 'nothing' };

interface Context {
  leaf: LeafCommand | undefined;
  options: readonly DeclaredOption[];
  sources: Sources;
  /** The words before the cursor. */
  given: readonly string[];
}

/** The candidates for `slot`, perhaps more than begin as typed; `files` where nothing better is known. */
export async function candidatesFor(slot: Slot, typed: string, context: Context): Promise<Candidate[] | 'files'> {
  switch (slot.type) {
    case 'command':
      return slot.choices.flatMap(commandCandidates);
    case 'flag':
      return context.options.flatMap((option) => flagCandidates(option, typed, context.given));
    case 'value':
      return await values(slot.option, typed, context);
    case 'argument': {
      const option = context.options.find(({ name }) => name === slot.name);
      return option === undefined ? 'files' : await values(option, typed, context);
    }
    case 'nothing':
      return [];
  }
}

function commandCandidates(command: Command): Candidate[] {
  return [commandName(command), ...(command.aliases ?? [])].map((word) => ({ word, about: command.describe }));
}

/** A flag that may stand once only is not offered again; short forms only where one dash has been typed. */
function flagCandidates(
  { flags, about, isList }: DeclaredOption,
  typed: string,
  given: readonly string[],
): Candidate[] {
  const isGiven = flags.some((flag) => given.some((word) => word === flag || word.startsWith(`${flag}=`)));
  if (isGiven && !isList) return [];
  const long = flags.filter((flag) => flag.startsWith('--'));
  return (typed === '-' || long.length === 0 ? flags : long).map((word) => ({ word, about }));
}

async function values(
  option: DeclaredOption,
  typed: string,
  { leaf, sources }: Context,
): Promise<Candidate[] | 'files'> {
  const declared = leaf?.completes?.[option.name];
  if (declared === null) return [];
  const source = sources[declared ?? option.name];
  if (source !== undefined) return await source(typed);
  if (option.choices.length > 0) return option.choices.map((word) => ({ word, about: '' }));
  return option.isNumber ? [] : 'files';
}
