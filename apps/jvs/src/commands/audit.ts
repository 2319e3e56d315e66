import { once } from 'node:events';
import {
  printable,
  printFailedResult,
  printResult,
  UsageError,
  type CommandGroup,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { AuditOperation, AuditRecord } from '@jvs/core-repo';
import { currentRepository } from '../caller.ts';

interface ShowArgs extends GlobalArgs {
  limit: number | undefined;
  since: string | undefined;
  operation: AuditOperation | undefined;
}

/** Spelled out so that the line can be understood before the library is loaded; the compiler compares. */
const OPERATIONS = [
  'repo_init',
  'worktree_create',
  'worktree_rename',
  'worktree_remove',
  'snapshot',
  'restore',
  'lock_acquire',
  'lock_renew',
  'lock_steal',
  'lock_release',
  'ref_create',
  'ref_delete',
  'gc_plan',
  'gc_mark',
  'gc_run',
  'gc_done',
  'gc_pin',
  'gc_unpin',
  'repair',
  'sync',
] as const satisfies readonly AuditOperation[];

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
      .option('operation', { choices: OPERATIONS, describe: 'only this operation' })
      .check(({ limit, since }) => {
        if (limit !== undefined && (!Number.isInteger(limit) || limit < 0))
          throw new UsageError('--limit is a whole number');
        parseTime(since);
        return true;
      }),
  handler: async ({ json, limit, since, operation, debug }) => {
    const { selectEvents } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    const events: AuditRecord[] = [];
    const human = (): string => events.map(lineOf).join('\n');
    try {
      for await (const event of selectEvents(r, { limit, sinceMs: parseTime(since), operation })) events.push(event);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      printFailedResult(json, { events }, human, error);
      return;
    }
    printResult(json, events, human);
  },
};

const ISO_TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/** In ms since 1970; a time without a zone is local, a day begins in UTC, as ISO 8601 has it in JavaScript. */
function parseTime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = ISO_TIME.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(ms))
    throw new UsageError(`--since wants a time as 2026-02-20 or 2026-02-20T09:12:00Z, not "${text}"`);
  return ms;
}

function lineOf({ seq, timestamp, operation, target, actor, reason }: AuditRecord): string {
  const about = printable(target ?? '-');
  const why = reason === null ? '' : `  (${printable(reason)})`;
  return `${String(seq).padStart(6)}  ${timestamp}  ${operation.padEnd(15)}  ${about}  ${printable(actor)}${why}`;
}

const verifyCommand: CommandModule<GlobalArgs, GlobalArgs> = {
  command: 'verify',
  describe: 'Check that no event was changed, removed or cut off',
  examples: [['jvs audit verify --json', 'with the hash of the newest event, to keep elsewhere']],
  handler: async ({ json, debug }) => {
    const { verificationFailure, verifyAudit } = await import('@jvs/core-repo');
    const result = await verifyAudit(await currentRepository({ debug }));
    const failure = verificationFailure(result);
    if (failure === undefined) printResult(json, result, () => `Audit chain OK: ${result.count} records`);
    else printFailedResult(json, result, () => result.problems.join('\n'), failure);
  },
};

const exportCommand: CommandModule<GlobalArgs, GlobalArgs> = {
  command: 'export',
  describe: 'Write all events as JSON lines, each exactly as its hash is about',
  examples: [['jvs audit export > audit.jsonl', 'a copy that can be checked without jvs']],
  handler: async ({ debug }) => {
    const { exportAudit } = await import('@jvs/core-repo');
    let block = '';
    try {
      for await (const line of exportAudit(await currentRepository({ debug }))) {
        block += line;
        if (block.length < BLOCK_CHARACTERS) continue;
        const full = block;
        block = '';
        await write(full);
      }
    } finally {
      await write(block);
    }
  },
};

const BLOCK_CHARACTERS = 64 * 1024;

async function write(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
}

export const auditCommands: CommandGroup = {
  command: 'audit',
  describe: 'Show, check and export the tamper-evident log',
  commands: [showCommand, verifyCommand, exportCommand],
};
