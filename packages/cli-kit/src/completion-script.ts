export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The first word of a line on which a script asks: `jvs __complete -- <words up to the cursor>`. */
export const COMPLETE_WORD = '__complete';

/**
 * A script for `shell` that asks the program at every Tab. It answers with a candidate a line, behind a tab what that is,
 * and exit status 0; any other status means that files fit.
 */
export function completionScript(shell: Shell, program: string): string {
  return SCRIPTS[shell](program, `_${program.replaceAll('-', '_')}_complete`);
}

const SCRIPTS: Record<Shell, (program: string, name: string) => string> = { bash, zsh, fish };

function bash(program: string, name: string): string {
  return `# bash completion of ${program}
${name}() {
  local answer line
  COMPREPLY=()
  if ! answer=$(${program} ${COMPLETE_WORD} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null); then
    compopt -o default 2>/dev/null
    return
  fi
  while IFS= read -r line; do
    [[ -z "$line" ]] || COMPREPLY+=("\${line%%$'\\t'*}")
  done <<<"$answer"
}
complete -o nosort -F ${name} ${program} 2>/dev/null || complete -F ${name} ${program}
`;
}

function zsh(program: string, name: string): string {
  return `#compdef ${program}
# zsh completion of ${program}
${name}() {
  local answer line word
  local -a candidates pairs displays
  if ! answer=$(${program} ${COMPLETE_WORD} -- "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null); then
    _files
    return
  fi
  for line in "\${(@f)answer}"; do
    [[ -n "$line" ]] || continue
    word="\${line%%$'\\t'*}"
    candidates+=("$word")
    pairs+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#candidates} )) || return 1
  zformat -a displays '  ' "\${(@)pairs}"
  compadd -l -V ${program} -d displays -a candidates
}
if [[ "$funcstack[1]" == "_${program}" ]]; then
  ${name} "$@"
else
  compdef ${name} ${program}
fi
`;
}

function fish(program: string, name: string): string {
  return `# fish completion of ${program}
function ${name}
    set -l answer (${program} ${COMPLETE_WORD} -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
    if test $status -ne 0
        __fish_complete_path (commandline -ct)
    else if test (count $answer) -gt 0
        printf '%s\\n' $answer
    end
end
complete -c ${program} -f -k -a '(${name})'
`;
}
