import {
  formatTable,
  printResult,
  type CommandGroup,
  type CommandModule,
  type GlobalArgs,
  printable,
} from '@jvs/cli-kit';
import { currentRepository, namedSnapshot } from '../caller.ts';

interface CreateArgs extends GlobalArgs {
  name: string;
  id: string;
  note: string | undefined;
}

const createCommand: CommandModule<GlobalArgs, CreateArgs> = {
  command: 'create <name> <id>',
  describe: 'Give a snapshot a name, and keep it as long as it has one',
  examples: [['jvs ref create before-migration HEAD --note "known to work"', 'the newest snapshot gets a name']],
  completes: { name: null, id: 'snapshot', note: null },
  builder: (yargs) =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'the new name' })
      .positional('id', { type: 'string', demandOption: true, describe: 'a snapshot: id, start of one, HEAD~n, ref' })
      .option('note', { type: 'string', describe: 'what it is for, in a few words' }),
  handler: async ({ json, name, id, note, debug }) => {
    const { createRef } = await import('@jvs/core-repo');
    const r = await currentRepository({ debug });
    const ref = await createRef(r, name, await namedSnapshot(r, id), { note });
    printResult(json, ref, () => `Created ref '${ref.ref_name}' -> ${ref.snapshot_id}`);
  },
};

const listCommand: CommandModule<GlobalArgs, GlobalArgs> = {
  command: 'list',
  describe: 'List names and the snapshots they stand for',
  handler: async ({ json, debug }) => {
    const { listRefs } = await import('@jvs/core-repo');
    const refs = await listRefs(await currentRepository({ debug }));
    printResult(json, refs, () =>
      formatTable(
        refs.map(({ ref_name: name, snapshot_id: id, note }) => [
          name,
          id,
          note === '' ? '(no note)' : printable(note),
        ]),
      ),
    );
  },
};

interface DeleteArgs extends GlobalArgs {
  name: string;
}

const deleteCommand: CommandModule<GlobalArgs, DeleteArgs> = {
  command: 'delete <name>',
  describe: 'Take a name away; the snapshot stays until garbage collection',
  completes: { name: 'ref' },
  builder: (yargs) => yargs.positional('name', { type: 'string', demandOption: true, describe: 'the name' }),
  handler: async ({ json, name, debug }) => {
    const { deleteRef } = await import('@jvs/core-repo');
    const result = await deleteRef(await currentRepository({ debug }), name);
    printResult(json, result, () => `Deleted ref '${result.deleted}'`);
  },
};

export const refCommands: CommandGroup = {
  command: 'ref',
  describe: 'Name snapshots, so that they are kept',
  commands: [createCommand, listCommand, deleteCommand],
};
