import yargs from 'yargs';
import { completionScript, SHELLS, type Shell, type Word } from './completion-script.ts';
import { asTyped, positionalNames } from './explain-failure.ts';
import { type Command, type CommandModule, commandName, type GlobalArgs, isGroup } from './command.ts';
import { GLOBAL_OPTIONS, optionsOf } from './parse-line.ts';

interface CompletionArgs extends GlobalArgs {
  shell: Shell | undefined;
}

/** The command `completion <shell>`, which prints a script that completes `commands` (and itself) for the program `name`. */
export function completionCommand(
  name: string,
  commands: readonly Command[],
): CommandModule<GlobalArgs, CompletionArgs> {
  const command: CommandModule<GlobalArgs, CompletionArgs> = {
    command: 'completion <shell>',
    describe: 'Print a completion script for bash, zsh or fish',
    examples: [
      [`source <(${name} completion bash)`, 'complete in this shell'],
      [`${name} completion fish > ~/.config/fish/completions/${name}.fish`, 'complete in every fish'],
    ],
    builder: (argv) => argv.positional('shell', { choices: SHELLS, describe: 'the shell to write for' }),
    handler: ({ shell = 'bash' }) => {
      const words = [...commands, command].map(describeCommand);
      process.stdout.write(
        completionScript(
          shell,
          name,
          words,
          Object.keys(GLOBAL_OPTIONS).map((key) => asTyped(key)),
        ),
      );
    },
  };
  return command;
}

function describeCommand(command: Command): Word {
  const { describe } = command;
  const names = [commandName(command), ...(command.aliases ?? [])];
  if (isGroup(command)) return { names, describe, flags: [], words: command.commands.map(describeCommand) };
  const parser = yargs().options(GLOBAL_OPTIONS);
  const before = new Set(Object.keys(optionsOf(parser).key));
  command.builder?.(parser);
  const positional = new Set(positionalNames(command.command));
  const flags = Object.keys(optionsOf(parser).key)
    .filter((key) => !before.has(key) && !positional.has(key) && !/[A-Z]/.test(key))
    .map((key) => asTyped(key));
  return { names, describe, flags, words: [] };
}
