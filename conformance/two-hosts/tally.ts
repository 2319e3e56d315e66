import { failureOf, type LoggedCommand } from './logged-command.ts';

const GROUPS = ['lock', 'worktree', 'gc', 'ref'];

/** How often which command ended how, a line each. */
export function tally(commands: readonly LoggedCommand[]): string {
  const counts = new Map<string, number>();
  for (const command of commands) {
    const { words, ending } = command;
    const verb = words.slice(0, GROUPS.includes(words[0] ?? '') ? 2 : 1).join(' ');
    const outcome = failureOf(command) ?? ending?.signal ?? ending?.exitCode ?? 'no end';
    counts.set(`${verb}: ${outcome}`, (counts.get(`${verb}: ${outcome}`) ?? 0) + 1);
  }
  return [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `${String(count).padStart(5)}  ${what}`)
    .join('\n');
}
