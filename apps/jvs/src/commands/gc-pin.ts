import { formatTable, printResult, UsageError, type CommandModule, type GlobalArgs, printable } from '@jvs/cli-kit';
import { currentRepository, namedSnapshot } from '../caller.ts';
import { parseTime } from '../time-flags.ts';

interface PinArgs extends GlobalArgs {
  id: string | undefined;
  reason: string | undefined;
  until: string | undefined;
  list: boolean;
}

export const pinCommand: CommandModule<GlobalArgs, PinArgs> = {
  command: 'pin [id]',
  describe: 'Keep a snapshot, perhaps for a while; or list what is kept so',
  examples: [
    ['jvs gc pin HEAD~3 --reason "audit of May" --until 30d', 'for thirty days'],
    ['jvs gc pin --list', 'all pins and when they end'],
  ],
  completes: { id: 'snapshot', reason: null, until: null },
  builder: (yargs) =>
    yargs
      .positional('id', { type: 'string', describe: 'a snapshot: id, start of one, HEAD~n, ref' })
      .option('reason', { type: 'string', describe: 'why it must stay' })
      .option('until', { type: 'string', describe: 'until when: a time (ISO 8601), or such as 7d from now' })
      .option('list', { type: 'boolean', default: false, describe: 'list the pins there are' })
      .check(({ id, until, list }) => {
        if ((id === undefined) !== list) throw new UsageError('Give either a snapshot or --list');
        const nowMs = Date.now();
        const untilMs = until === undefined ? undefined : parseTime(until, nowMs);
        if (until !== undefined && untilMs === undefined)
          throw new UsageError(`--until is a time such as 2026-03-01 or 7d, not "${until}"`);
        if (untilMs !== undefined && untilMs <= nowMs) throw new UsageError(`--until lies in the past: ${until}`);
        return true;
      }),
  handler: async ({ json, id, reason, until, debug }) => {
    const { listPins, pin } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    if (id === undefined) {
      const pins = await listPins(r);
      printResult(json, pins, () =>
        formatTable(
          pins.map(({ pin_id: pinId, snapshot_id: snapshot, reason: why, expires_at: end, expired }) => [
            pinId,
            snapshot,
            end === null ? 'for ever' : `${expired ? 'ended' : 'until'} ${end}`,
            why === '' ? '(no reason)' : printable(why),
          ]),
        ),
      );
      return;
    }
    const untilMs = until === undefined ? undefined : parseTime(until, Date.now());
    const made = await pin(r, await namedSnapshot(r, id), { reason, untilMs });
    printResult(json, made, () =>
      [
        `Pinned ${made.snapshot_id}${made.expires_at === null ? '' : ` until ${made.expires_at}`}`,
        `To unpin: jvs gc unpin ${made.pin_id}`,
      ].join('\n'),
    );
  },
};

interface UnpinArgs extends GlobalArgs {
  pin_id: string;
}

export const unpinCommand: CommandModule<GlobalArgs, UnpinArgs> = {
  command: 'unpin <pin_id>',
  describe: 'Take a pin away',
  completes: { pin_id: 'pin' },
  builder: (yargs) =>
    yargs.positional('pin_id', { type: 'string', demandOption: true, describe: 'as jvs gc pin --list shows it' }),
  handler: async ({ json, pin_id: pinId, debug }) => {
    const { unpin } = await import('@jvs/core-repo');
    const result = await unpin(await currentRepository({ debug }), pinId);
    printResult(json, result, () => `Unpinned ${result.removed}`);
  },
};
