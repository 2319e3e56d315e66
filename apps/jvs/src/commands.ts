import { readFileSync } from 'node:fs';
import { answerCompletion, completionCommand, runCli, type Command } from '@jvs/cli-kit';
import { auditCommands } from './commands/audit.ts';
import { conformanceCommands } from './commands/conformance.ts';
import { diffCommand } from './commands/diff.ts';
import { doctorCommand } from './commands/doctor.ts';
import { forkCommand } from './commands/fork.ts';
import { gcCommands } from './commands/gc.ts';
import { historyCommand } from './commands/history.ts';
import { infoCommand } from './commands/info.ts';
import { initCommand } from './commands/init.ts';
import { lockCommands } from './commands/lock.ts';
import { refCommands } from './commands/ref.ts';
import { restoreCommand } from './commands/restore.ts';
import { snapshotCommand } from './commands/snapshot.ts';
import { statusCommand } from './commands/status.ts';
import { verifyCommand } from './commands/verify.ts';
import { worktreeCommands } from './commands/worktree.ts';
import { sources } from './complete/sources.ts';

const commands: Command[] = [
  initCommand,
  infoCommand,
  statusCommand,
  snapshotCommand,
  historyCommand,
  diffCommand,
  restoreCommand,
  forkCommand,
  worktreeCommands,
  lockCommands,
  refCommands,
  gcCommands,
  verifyCommand,
  auditCommands,
  doctorCommand,
  conformanceCommands,
];

const all = [...commands, completionCommand('jvs')];

export async function main(): Promise<void> {
  if (await answerCompletion(process.argv.slice(2), all, sources)) return;
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  await runCli('jvs', { version, commands: all });
}
