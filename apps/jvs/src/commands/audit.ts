import {
  printFailedResult,
  printResult,
  UsageError,
  type CommandGroup,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { AuditRecord } from '@jvs/core-repo';
import { currentRepository } from '../caller.ts';
import { VerificationFailedError } from '../verification-failed-error.ts';

interface ShowArgs extends GlobalArgs {
  limit: number | undefined;
  since: string | undefined;
  operation: string | undefined;
}

const showCommand: CommandModule<GlobalArgs, ShowArgs> = {
  command: 'show',
  describe: 'List what was done, newest last',
  examples: [
    ['jvs audit show -n 20', 'the newest twenty events'],
    ['jvs audit show --operation snapshot --since 2026-02-20', 'snapshots since that day'],
  ],
  builder: (yargs) =>
    yargs
      .option('limit', { alias: 'n', type: 'number', describe: 'only the newest so many' })
      .option('since', { type: 'string', describe: 'only events at or after this time (ISO 8601)' })
      .option('operation', { type: 'string', describe: 'only this operation' })
      .check(({ limit, since }) => {
        if (limit !== undefined && (!Number.isInteger(limit) || limit < 0))
          throw new UsageError('--limit is a whole number');
        if (since !== undefined && Number.isNaN(Date.parse(since)))
          throw new UsageError(`--since is no time: ${since}`);
        return true;
      }),
  handler: async ({ json, limit, since, operation, debug }) => {
    const { auditEvents } = await import('@jvs/core-repo');
    const from = since === undefined ? undefined : Date.parse(since);
    let events: AuditRecord[] = [];
    for await (const event of auditEvents(await currentRepository({ debug }))) {
      const isAsked = operation === undefined || event.operation === operation;
      if (isAsked && (from === undefined || Date.parse(event.timestamp) >= from)) events.push(event);
    }
    if (limit !== undefined) events = limit === 0 ? [] : events.slice(-limit);
    printResult(json, events, () => events.map(lineOf).join('\n'));
  },
};

function lineOf({ seq, timestamp, operation, target, actor, reason }: AuditRecord): string {
  return `${String(seq).padStart(6)}  ${timestamp}  ${operation.padEnd(15)}  ${target ?? '-'}  ${actor}${reason === null ? '' : `  (${reason})`}`;
}

const verifyCommand: CommandModule<GlobalArgs, GlobalArgs> = {
  command: 'verify',
  describe: 'Check that no event was changed, removed or cut off',
  handler: async ({ json, debug }) => {
    const { verifyAudit } = await import('@jvs/core-repo');
    const result = await verifyAudit(await currentRepository({ debug }));
    const failure = VerificationFailedError.ofAudit(result);
    if (failure === undefined) printResult(json, result, () => `Audit chain OK: ${result.count} records`);
    else printFailedResult(json, result, () => result.problems.join('\n'), failure);
  },
};

export const auditCommands: CommandGroup = {
  command: 'audit',
  describe: 'Show and check the tamper-evident log',
  commands: [showCommand, verifyCommand],
};
