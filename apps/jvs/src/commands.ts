import { readFileSync } from 'node:fs';
import { completionCommand, runCli, type Command } from '@jvs/cli-kit';
import { auditCommands } from './commands/audit.ts';
import { doctorCommand } from './commands/doctor.ts';
import { historyCommand } from './commands/history.ts';
import { infoCommand } from './commands/info.ts';
import { initCommand } from './commands/init.ts';
import { lockCommands } from './commands/lock.ts';
import { restoreCommand } from './commands/restore.ts';
import { snapshotCommand } from './commands/snapshot.ts';
import { statusCommand } from './commands/status.ts';
import { verifyCommand } from './commands/verify.ts';
import { worktreeCommands } from './commands/worktree.ts';

const commands: Command[] = [
  initCommand,
  infoCommand,
  statusCommand,
  snapshotCommand,
  historyCommand,
  restoreCommand,
  worktreeCommands,
  lockCommands,
  verifyCommand,
  auditCommands,
  doctorCommand,
];

export async function main(): Promise<void> {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  await runCli('jvs', { version, commands: [...commands, completionCommand('jvs', commands)] });
}
