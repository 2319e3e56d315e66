import { formatDuration, formatTable, printResult, type CommandModule, type GlobalArgs } from '@jvs/cli-kit';
import { currentRepository, requestedEngine } from '../caller.ts';

export const infoCommand: CommandModule<GlobalArgs, GlobalArgs> = {
  command: 'info',
  describe: 'Show what the repository is and its defaults',
  examples: [['jvs info --json', 'the same for a program']],
  handler: async ({ json, debug }) => {
    const { repositoryInfo } = await import('@jvs/core-repo/info');
    const info = await repositoryInfo(await currentRepository({ debug }), { engine: requestedEngine(undefined) });
    printResult(json, info, () => {
      const rows = [
        ['  Id:', info.repo_id],
        ['  Format:', String(info.format_version)],
        ['  Engine:', info.snapshot_engine ?? 'unknown (read-only)'],
        ['  Worktrees:', String(info.total_worktrees)],
        ['  Snapshots:', String(info.total_snapshots)],
        [
          '  Lease:',
          `${formatDuration(info.lease_duration_ms)}, renewed every ${formatDuration(info.renew_interval_ms)}`,
        ],
        [
          '  Clock skew:',
          `up to ${formatDuration(info.max_clock_skew_ms)}, grace ${formatDuration(info.steal_grace_ms)}`,
        ],
      ];
      return `Repository: ${info.repo_root}\n${formatTable(rows)}`;
    });
  },
};
