import { readdirSync } from 'node:fs';

import { auditRecords, test, type RepositoryFiles, type SavedRepository, type User } from '@jvs/testkit';
import { describe } from 'vitest';

import { categories, crash, expectRepaired } from './aftermath.ts';
import { OBJECT_STEPS } from './failpoints.ts';

interface Kind {
  kind: 'ref' | 'pin';
  create: (id: string) => string[];
  /** Deletes the only one there is. */
  remove: (user: User) => Promise<string[]>;
  list: string[];
  operations: [created: string, deleted: string];
}

const KINDS: Kind[] = [
  {
    kind: 'ref',
    create: (id) => ['ref', 'create', 'good', id],
    remove: async () => Promise.resolve(['ref', 'delete', 'good']),
    list: ['ref', 'list'],
    operations: ['ref_create', 'ref_delete'],
  },
  {
    kind: 'pin',
    create: (id) => ['gc', 'pin', id],
    remove: async (user) => {
      const [pin] = await user.json<{ pin_id: string }[]>(['gc', 'pin', '--list']);
      return ['gc', 'unpin', pin?.pin_id ?? ''];
    },
    list: ['gc', 'pin', '--list'],
    operations: ['gc_pin', 'gc_unpin'],
  },
];

/** Files and directories that a ref or pin consists of. */
function left({ control }: RepositoryFiles, kind: Kind['kind']): string[] {
  return readdirSync(kind === 'ref' ? `${control}/refs` : `${control}/gc/pins`);
}

function operations(saved: SavedRepository): string[] {
  return auditRecords(saved)
    .map(({ operation }) => operation)
    .slice(3);
}

describe.for(KINDS)('$kind', ({ kind, create, remove, list, operations: [created, deleted] }) => {
  const [file = '', audit = '', deleteAudit = '', unlink = ''] = OBJECT_STEPS.map((step) => `${kind}:${step}`);

  describe.concurrent('made by somebody who dies', () => {
    test('before it is recorded: it protects its snapshot, and doctor records it', async ({ saved, ada, expect }) => {
      await crash(ada, create(saved.id), file, 'kill');
      expect(await ada.json<unknown[]>(list)).toHaveLength(1);
      expect(await categories(ada)).toEqual(['audit_missing']);
      await ada.ok(['verify', '--all']);

      await expectRepaired(ada);

      expect(operations(saved)).toEqual([created, 'repair']);
      expect(auditRecords(saved).at(-2)).toMatchObject({ snapshot_id: saved.id, details: { recovered: true } });
      expect(await ada.json<unknown[]>(list)).toHaveLength(1);
    });

    test('after that: it stands', async ({ saved, ada, expect }) => {
      await crash(ada, create(saved.id), audit, 'kill');

      expect(await ada.json<unknown[]>(list)).toHaveLength(1);
      expect(operations(saved)).toEqual([created]);
      await expectRepaired(ada);
    });

    test.for([file, audit])('or fails, at %s: it is taken back, on record', async (step, { saved, ada, expect }) => {
      await crash(ada, create(saved.id), step, 'error:EIO');

      expect(left(saved, kind)).toEqual([]);
      expect(operations(saved).at(-1)).toBe(deleted);
      await expectRepaired(ada);
      await ada.ok(create(saved.id));
    });
  });

  describe.concurrent('deleted by somebody who dies or fails', () => {
    const cases = [deleteAudit, unlink].flatMap((step) =>
      ['kill', 'error:EIO'].map((action) => [step, action] as const),
    );

    test.for(cases)('at %s=%s: the next command finishes it', async ([step, action], { saved, ada, bob, expect }) => {
      await ada.ok(create(saved.id));
      await crash(ada, await remove(ada), step, action);

      expect(await bob.json<unknown[]>(list)).toEqual([]);

      expect(left(saved, kind)).toEqual([]);
      expect(operations(saved)).toEqual([created, deleted]);
      await bob.ok(create(saved.id));
      await expectRepaired(ada);
    });

    test('or doctor does', async ({ saved, ada, expect }) => {
      await ada.ok(create(saved.id));
      await crash(ada, await remove(ada), deleteAudit, 'kill');
      expect(await categories(ada)).toEqual(['interrupted_deletion']);

      await expectRepaired(ada);

      expect(left(saved, kind)).toEqual([]);
    });
  });
});

describe.concurrent('a deletion that is frozen', () => {
  test.for(['ref:delete-audit', 'ref:unlink'])(
    'at %s does not touch a ref of the same name that came later',
    async (step, { saved, ada, bob, expect }) => {
      await ada.ok(['ref', 'create', 'good', saved.id]);
      const frozen = ada.start(['ref', 'delete', 'good'], { env: { JVS_FAILPOINT: `${step}=stop` } });
      await frozen.stopped();
      await bob.ok(['ref', 'create', 'good', saved.id, '--note', 'the later one']);

      frozen.resume();

      expect(await frozen.result).toMatchObject({ exitCode: 0 });
      expect(await bob.json(['ref', 'list'])).toMatchObject([{ ref_name: 'good', note: 'the later one' }]);
      expect(left(saved, 'ref')).toEqual(['good']);
      await expectRepaired(ada);
    },
  );
});
