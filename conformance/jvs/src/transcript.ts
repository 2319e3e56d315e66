/** A shell line in which `word` and `words` are values that need quoting, and text is syntax. */
export interface ShellLine {
  readonly syntax: readonly string[];
  readonly words: readonly (readonly string[])[];
}

/** Writes a {@link ShellLine}: `` shell`cp -a ${from} ${[to, other]}` ``. */
export function shell(syntax: TemplateStringsArray, ...values: (string | readonly string[])[]): ShellLine {
  return { syntax, words: values.map((value) => (typeof value === 'string' ? [value] : value)) };
}

interface Entry {
  line: ShellLine;
  printed: string;
}

/** Snapshot ids and UUIDs are different in every run, so a script asks for them. */
const ID_PATTERNS = ['[0-9]{13}-[0-9a-f]{8}', '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'] as const;
const ANY_ID = new RegExp(ID_PATTERNS.join('|'), 'g');

/** What a check did, as lines for a POSIX shell that do it again. */
export class Transcript {
  readonly #entries: Entry[] = [];
  readonly #directory: string;

  /** `directory` is where everything happens; the script says `$D` for it. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Adds a line. Returns a function that takes what it printed: later lines may hold an id from there. */
  add(line: ShellLine): (printed: string) => void {
    const entry = { line, printed: '' };
    this.#entries.push(entry);
    return (printed) => void (entry.printed = printed);
  }

  lines(): string[] {
    const variables = new Map([[this.#directory, '$D']]);
    return this.#entries.map(({ line, printed }, index) => {
      const text = rendered(line, variables);
      const later = this.#entries.slice(index + 1).flatMap((entry) => entry.line.words.flat());
      const asked = [...new Set(printed.match(ANY_ID))].filter((id) => {
        return !variables.has(id) && later.some((word) => word.includes(id));
      });
      if (asked.length === 0) return text;
      const questions = asked.map((id) => {
        const name = `ID${variables.size}`;
        variables.set(id, `$${name}`);
        return `; ${name}=$(${questionFor(id, printed)})`;
      });
      return `${text} > "$D/out"; cat "$D/out"${questions.join('')}`;
    });
  }
}

function questionFor(id: string, printed: string): string {
  const pattern = ID_PATTERNS.find((candidate) => new RegExp(`^${candidate}$`).test(id)) ?? '';
  const found: string[] = printed.match(new RegExp(pattern, 'g')) ?? [];
  const place = found.indexOf(id) + 1;
  return `grep -oE '${pattern}' "$D/out" | sed -n ${place}p`;
}

function rendered({ syntax, words }: ShellLine, variables: ReadonlyMap<string, string>): string {
  return syntax
    .map((text, at) => `${text}${(words[at] ?? []).map((word) => quoted(word, variables)).join(' ')}`)
    .join('');
}

const NO_VARIABLES: ReadonlyMap<string, string> = new Map();

/** A word as a POSIX shell takes it, with the values of `variables` replaced by their names. */
export function quoted(word: string, variables = NO_VARIABLES): string {
  for (const [value, name] of variables) {
    const at = word.indexOf(value);
    if (at < 0) continue;
    const around = [word.slice(0, at), word.slice(at + value.length)];
    const [before, after] = around.map((part) => (part === '' ? '' : quoted(part, variables)));
    return `${before}"${name}"${after}`;
  }
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
