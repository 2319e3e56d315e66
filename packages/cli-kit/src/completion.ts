import { completionScript, SHELLS, type Shell } from './completion-script.ts';
import type { CommandModule, GlobalArgs } from './command.ts';

interface CompletionArgs extends GlobalArgs {
  shell: Shell;
}

/** The command `completion <shell>`. Its scripts ask the program, which answers by `answerCompletion`. */
export function completionCommand(name: string): CommandModule<GlobalArgs, CompletionArgs> {
  return {
    command: 'completion <shell>',
    describe: 'Print a completion script for bash, zsh or fish',
    examples: [
      [`source <(${name} completion bash)`, 'complete in this shell'],
      [`${name} completion fish > ~/.config/fish/completions/${name}.fish`, 'complete in every fish'],
    ],
    builder: (argv) =>
      argv.positional('shell', { choices: SHELLS, demandOption: true, describe: 'the shell to write for' }),
    handler: ({ shell }) => void process.stdout.write(completionScript(shell, name)),
  };
}
