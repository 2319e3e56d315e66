import {
  interrupted,
  printResult,
  printWarning,
  UsageError,
  withProgress,
  type CommandGroup,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { PlanSummary } from '@jvs/core-repo';
import { currentRepository } from '../caller.ts';
import { describePlan, describeRun } from '../gc-view.ts';
import { parseDuration } from '../time-flags.ts';
import { pinCommand, unpinCommand } from './gc-pin.ts';

interface PlanArgs extends GlobalArgs {
  policy: string | undefined;
  scope: 'unreachable' | 'all' | undefined;
  'keep-last': number | undefined;
  'keep-hourly': number | undefined;
  'keep-daily': number | undefined;
  'keep-weekly': number | undefined;
  'keep-monthly': number | undefined;
  'keep-yearly': number | undefined;
  'keep-within': string | undefined;
  'keep-tag': string[] | undefined;
  'min-age-ms': number | undefined;
}

const COUNTS = [
  'keep-last',
  'keep-hourly',
  'keep-daily',
  'keep-weekly',
  'keep-monthly',
  'keep-yearly',
  'min-age-ms',
] as const;

const planCommand: CommandModule<GlobalArgs, PlanArgs> = {
  command: 'plan',
  describe: 'Write down which snapshots may go; deletes nothing',
  examples: [
    ['jvs gc plan', 'what no worktree, ref or pin leads to, and is older than a day'],
    ['jvs gc plan --scope all --keep-daily 7 --keep-weekly 4', 'thin the history, too'],
    ['jvs gc plan --policy thin', 'by a policy of .jvs/gc/retention.json'],
  ],
  builder: (yargs) =>
    yargs
      .option('policy', { type: 'string', describe: 'by this policy of gc/retention.json (default: default)' })
      .option('scope', {
        choices: ['unreachable', 'all'] as const,
        describe: 'only what nothing leads to, or whatever retention does not keep',
      })
      .option('keep-last', { type: 'number', describe: "keep each worktree's newest n" })
      .option('keep-hourly', { type: 'number', describe: 'the newest of each of the last n hours that have one' })
      .option('keep-daily', { type: 'number', describe: 'the same for days' })
      .option('keep-weekly', { type: 'number', describe: 'for weeks from Monday' })
      .option('keep-monthly', { type: 'number', describe: 'for months' })
      .option('keep-yearly', { type: 'number', describe: 'for years' })
      .option('keep-within', { type: 'string', describe: 'all within this time of the newest, such as 7d or 12h' })
      .option('keep-tag', { type: 'string', array: true, describe: 'those with a tag that begins so (repeatable)' })
      .option('min-age-ms', { type: 'number', describe: 'nothing younger (default 86400000, a day)' })
      .check((flags) => {
        for (const name of COUNTS) {
          const value = flags[name];
          const isCount = value === undefined || (Number.isSafeInteger(value) && value >= 0);
          if (!isCount) throw new UsageError(`--${name} is a whole number, 0 or more`);
        }
        const within = flags['keep-within'];
        if (within !== undefined && parseDuration(within) === undefined)
          throw new UsageError(`--keep-within is a length of time such as 7d or 12h, not "${within}"`);
        return true;
      }),
  handler: async ({ json, debug, keepWithin, ...options }) => {
    const { planGc } = await import('@jvs/core-repo');
    let summary: PlanSummary = { toDelete: [], keptBytes: 0 };
    const r = await currentRepository({ debug });
    const plan = await withProgress((onProgress) =>
      planGc(r, {
        ...options,
        keepWithinMs: keepWithin === undefined ? undefined : parseDuration(keepWithin),
        onSummary: (told) => void (summary = told),
        onProgress,
        signal: interrupted(),
      }),
    );
    const limit = plan.policy.max_repo_bytes;
    if (limit !== undefined && summary.keptBytes > limit)
      printWarning(`what stays has ${summary.keptBytes} bytes, more than max_repo_bytes, ${limit}`);
    printResult(json, plan, () => describePlan(plan, summary));
  },
};

interface RunArgs extends GlobalArgs {
  'plan-id': string | undefined;
  abandon: string | undefined;
  'dry-run': boolean;
}

const runCommand: CommandModule<GlobalArgs, RunArgs> = {
  command: 'run',
  describe: 'Delete what a plan lists, or end one that was begun',
  examples: [
    ['jvs gc run --plan-id 3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5b', 'carry it out; again, to go on after a failure'],
    ['jvs gc run --abandon 3d2f0f3e-3b1c-4f61-9a55-0c1d2e3f4a5b', 'keep what is still there'],
  ],
  completes: { 'plan-id': 'plan', abandon: 'plan' },
  builder: (yargs) =>
    yargs
      .option('plan-id', { type: 'string', describe: 'the plan to carry out, or to go on with' })
      .option('abandon', { type: 'string', describe: 'the plan to end before it is finished' })
      .option('dry-run', { type: 'boolean', default: false, describe: 'only tell what would be deleted' })
      .check(({ 'plan-id': planId, abandon }) => {
        const given = [planId, abandon].filter((id) => id !== undefined && id !== '');
        if (given.length !== 1) throw new UsageError('Give either --plan-id or --abandon, with the id of a plan');
        return true;
      }),
  handler: async ({ json, planId, abandon, dryRun, debug }) => {
    const { abandonGc, runGc } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    const result =
      abandon === undefined
        ? await withProgress((onProgress) => runGc(r, planId ?? '', { dryRun, onProgress, signal: interrupted() }))
        : await abandonGc(r, abandon, { dryRun });
    printResult(json, dryRun ? { dry_run: true, ...result } : result, () => describeRun(result, dryRun));
  },
};

export const gcCommands: CommandGroup = {
  command: 'gc',
  describe: 'Delete snapshots that nothing needs any more',
  commands: [planCommand, runCommand, pinCommand, unpinCommand],
};
