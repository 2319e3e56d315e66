export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A command as the scripts know it: its names, the flags of its own, the words that may follow. */
export interface Word {
  names: readonly string[];
  describe: string;
  flags: readonly string[];
  words: readonly Word[];
}

/** A script for `shell`; where no command or flag fits, files are completed. It never starts the program. */
export function completionScript(
  shell: Shell,
  program: string,
  words: readonly Word[],
  globalFlags: readonly string[],
): string {
  switch (shell) {
    case 'bash':
      return bashScript(program, contextsOf(words, globalFlags));
    case 'zsh':
      return zshScript(program, contextsOf(words, globalFlags));
    case 'fish':
      return fishScript(program, words, globalFlags);
  }
}

/** What can follow once the commands of `path` have been typed. */
interface Context {
  path: string;
  words: readonly string[];
  flags: readonly string[];
}

function contextsOf(words: readonly Word[], globalFlags: readonly string[]): Context[] {
  const flags = [...globalFlags, '--help', '--version'];
  const contexts: Context[] = [{ path: '', words: words.flatMap(({ names }) => names), flags }];
  const visit = (path: string, word: Word): void => {
    for (const name of word.names) {
      const here = `${path}${name} `;
      contexts.push({ path: here, words: word.words.flatMap(({ names }) => names), flags: [...word.flags, ...flags] });
      for (const inner of word.words) visit(here, inner);
    }
  };
  for (const word of words) visit('', word);
  return contexts;
}

function functionName(program: string): string {
  return `_${program.replaceAll('-', '_')}_complete`;
}

/** Walks the typed words down to the deepest context; both shells run it on an array that is theirs. */
function walk(contexts: readonly Context[]): string {
  const known = contexts.filter(({ path }) => path !== '').map(({ path }) => `"${path}"`);
  return `    case "$path_$word " in ${known.join('|')}) path_="$path_$word " ;; esac`;
}

function cases(contexts: readonly Context[], indent: string): string {
  return contexts
    .map(({ path, words, flags }) => `${indent}"${path}") words_="${words.join(' ')}"; flags_="${flags.join(' ')}" ;;`)
    .join('\n');
}

function bashScript(program: string, contexts: readonly Context[]): string {
  return `# bash completion of ${program}
${functionName(program)}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path_="" words_="" flags_="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${walk(contexts)}
  done
  case "$path_" in
${cases(contexts, '    ')}
  esac
  if [[ "$current" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags_" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words_" -- "$current")
  fi
}
complete -o default -F ${functionName(program)} ${program}
`;
}

function zshScript(program: string, contexts: readonly Context[]): string {
  return `#compdef ${program}
# zsh completion of ${program}
${functionName(program)}() {
  local current="\${words[CURRENT]}" path_="" words_="" flags_="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
${walk(contexts)}
  done
  case "$path_" in
${cases(contexts, '    ')}
  esac
  if [[ "$current" == -* ]]; then
    compadd -- \${=flags_}
  elif [[ -n "$words_" ]]; then
    compadd -- \${=words_}
  else
    _files
  fi
}
if [[ "$funcstack[1]" == "_${program}" ]]; then
  ${functionName(program)} "$@"
else
  compdef ${functionName(program)} ${program}
fi
`;
}

function fishScript(program: string, words: readonly Word[], globalFlags: readonly string[]): string {
  const lines = [`# fish completion of ${program}`];
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const option = (name: string): string => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`);
  for (const name of [...globalFlags, '--help', '--version']) lines.push(`complete -c ${program} ${option(name)}`);
  const visit = (condition: string, siblings: readonly Word[]): void => {
    const names = siblings.flatMap((word) => word.names);
    const none = `not __fish_seen_subcommand_from ${names.join(' ')}`;
    for (const word of siblings) {
      for (const name of word.names) {
        const here = `${condition}__fish_seen_subcommand_from ${name}`;
        lines.push(`complete -c ${program} -f -n ${quote(condition + none)} -a ${name} -d ${quote(word.describe)}`);
        for (const own of word.flags) lines.push(`complete -c ${program} -n ${quote(here)} ${option(own)}`);
        if (word.words.length > 0) visit(`${here}; and `, word.words);
      }
    }
  };
  visit('', words);
  return `${lines.join('\n')}\n`;
}
