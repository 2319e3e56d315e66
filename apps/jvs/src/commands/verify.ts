import {
  interrupted,
  printFailedResult,
  printResult,
  UsageError,
  withProgress,
  type CommandModule,
  type GlobalArgs,
} from '@jvs/cli-kit';
import type { RepositoryVerification, SnapshotVerification } from '@jvs/core-repo';
import { currentRepository, namedSnapshot } from '../caller.ts';

interface VerifyArgs extends GlobalArgs {
  id: string | undefined;
  all: boolean;
  snapshot: string | undefined;
  'no-payload': boolean;
  sample: string | undefined;
}

export const verifyCommand: CommandModule<GlobalArgs, VerifyArgs> = {
  command: 'verify [id]',
  describe: 'Read snapshots and compare every byte with what was published',
  examples: [
    ['jvs verify --all', 'everything, and the chains of all logs'],
    ['jvs verify HEAD --sample 5%', 'a twentieth of the bytes of the newest'],
  ],
  completes: { id: 'snapshot', sample: null },
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', describe: 'a snapshot (default: all)' })
      .option('all', { type: 'boolean', default: false, describe: 'all snapshots, lineages, refs and logs' })
      .option('snapshot', { type: 'string', describe: 'the same as <id>' })
      .option('no-payload', { type: 'boolean', default: false, describe: 'leave out the contents' })
      .option('sample', { type: 'string', describe: 'read only this share of the bytes, as in 10%' })
      .check(({ id, all, snapshot, sample, 'no-payload': noPayload }) => {
        if (parseShare(sample) !== undefined && noPayload) {
          throw new UsageError('--sample reads contents and --no-payload does not: give one of them');
        }
        const ways = [id !== undefined, all, snapshot !== undefined].filter(Boolean).length;
        if (ways > 1) throw new UsageError('Give one of: a snapshot, --snapshot, --all');
        return true;
      }),
  handler: async ({ json, id, all, snapshot, noPayload, sample, debug }) => {
    const { verificationFailure, verifyAll, verifySnapshot } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    const expression = all ? undefined : (id ?? snapshot);
    const share = parseShare(sample);
    const result = await withProgress(async (onProgress) => {
      const options = { payload: !noPayload, sample: share, onProgress, signal: interrupted() };
      if (expression === undefined) return await verifyAll(r, options);
      return await verifySnapshot(r, await namedSnapshot(r, expression), options);
    });
    const human = (): string => ('snapshots' in result ? describeAll(result) : describe(result));
    const failure = verificationFailure(result);
    if (failure === undefined) printResult(json, result, human);
    else printFailedResult(json, result, human, failure);
  },
};

function parseShare(sample: string | undefined): number | undefined {
  if (sample === undefined) return undefined;
  const percent = Number(/^(\d+(?:\.\d+)?)%?$/.exec(sample)?.[1]);
  if (!(percent > 0 && percent <= 100))
    throw new UsageError(`--sample is a percentage above 0 and up to 100, not "${sample}"`);
  return percent / 100;
}

function describe({ snapshot_id: id, tamper_detected: isTampered, code, why, paths }: SnapshotVerification): string {
  if (!isTampered) return code === null ? `${id}  OK` : `${id}  MANIFEST LOST  ${why ?? ''}`;
  return [`${id}  TAMPERED  ${why ?? ''}`, ...paths.map(({ path, problem }) => `    ${problem}: ${path}`)].join('\n');
}

function describeAll({ snapshots, refs, pins, chains }: RepositoryVerification): string {
  return [
    ...snapshots.map(describe),
    ...refs.filter(({ valid }) => !valid).map(({ name }) => `ref ${name}  DANGLING`),
    ...pins.filter(({ valid }) => !valid).map(({ name }) => `pin ${name}  DANGLING`),
    ...chains.problems.map(({ kind, subject, why }) => `${kind} ${subject}  BROKEN  ${why}`),
    ...chains.audit.problems.map((problem) => `audit  BROKEN  ${problem}`),
    ...(snapshots.length === 0 ? ['No snapshots yet.'] : []),
  ].join('\n');
}
