import { appendFileSync, chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { auditLog, slot, test, type User } from '@jvs/testkit';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect } from 'vitest';

const FOLDER = fileURLToPath(new URL('../../docs/schemas/jvs/', import.meta.url));
const PAGE = fileURLToPath(new URL('../../docs/cli/jvs.md', import.meta.url));

/** What prints something else than a document, on purpose. */
const WITHOUT_DOCUMENT = ['lock exec', 'completion'];

const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true });
const names = readdirSync(FOLDER).map((file) => basename(file, '.schema.json'));
for (const name of names) {
  const file = `${name}.schema.json`;
  ajv.addSchema(JSON.parse(readFileSync(FOLDER + file, 'utf8')), file);
}

/** Fails unless `document` is one that the published schema describes; returns it. */
function valid<T = unknown>(schema: string, document: unknown): T {
  const validate = ajv.getSchema(`${schema}.schema.json`);
  if (validate === undefined) throw new Error(`There is no schema ${schema}`);
  const errors = validate(document) === true ? [] : validate.errors;
  expect({ schema, errors, ...(errors === null || errors?.length === 0 ? {} : { document }) }).toEqual({
    schema,
    errors: [],
  });
  return document as T;
}

/** Runs commands with `--json` and holds what they print against the schema of their name. */
class Checked {
  readonly seen = new Set<string>();
  readonly #user: User;

  constructor(user: User) {
    this.#user = user;
  }

  /** A command that must succeed. */
  async ok<T = unknown>(command: string, ...args: string[]): Promise<T> {
    return this.#valid<T>(command, await this.#user.json([...command.split(' '), ...args]));
  }

  /** A command that must exit with 1 and print its result nevertheless, the error in it. */
  async bad<T = unknown>(command: string, ...args: string[]): Promise<T> {
    const document = await this.#user.unhealthy<object>([...command.split(' '), ...args]);
    valid('error', document);
    return this.#valid<T>(command, document);
  }

  #valid<T>(command: string, document: unknown): T {
    this.seen.add(command);
    return valid<T>(command.replaceAll(' ', '-'), document);
  }
}

describe('the published schemas', () => {
  test('there is one for each command, and none besides', () => {
    const commands = [...readFileSync(PAGE, 'utf8').matchAll(/^#+ jvs (.+)$/gm)].map(([, command = '']) => command);
    const leaves = commands.filter((name) => !commands.some((other) => other.startsWith(`${name} `)));
    const expected = leaves.filter((name) => !WITHOUT_DOCUMENT.includes(name)).map((name) => name.replaceAll(' ', '-'));

    expect(names.toSorted()).toEqual([...expected, 'definitions', 'error'].toSorted());
  });

  test('describe what every command prints', { timeout: 240_000 }, async ({ dir, ada }) => {
    const check = new Checked(ada);
    await check.ok('init', 'repo');
    ada.cwd = `${dir}/repo/main`;
    await check.ok('status');
    await check.ok('lock status');
    await check.ok('lock acquire', '--purpose', 'schemas', '--lease-ms', '86400000');
    await check.ok('lock status');
    await check.ok('lock renew');

    writeFileSync(`${ada.cwd}/a`, 'a');
    await check.ok('history');
    await check.ok('diff');
    const first = await check.ok<{ snapshot_id: string }>('snapshot', 'one', '--tag', 'first');
    appendFileSync(`${ada.cwd}/a`, 'more');
    writeFileSync(`${ada.cwd}/odd\nname`, '');
    chmodSync(`${ada.cwd}/a`, 0o600);
    await check.ok('status');
    await check.ok('diff', '--stat');
    await check.ok('snapshot', '--consistency', 'best_effort');
    await check.ok('diff', 'HEAD~1', 'HEAD');
    expect(await check.ok('history', '--all')).toHaveLength(2);
    await check.ok('info');

    await check.ok('ref create', 'base', 'HEAD~1', '--note', 'to compare with');
    expect(await check.ok('ref list')).toHaveLength(1);
    const pin = await check.ok<{ pin_id: string }>('gc pin', 'HEAD', '--reason', 'for now', '--until', '7d');
    await check.ok('gc pin', 'HEAD');
    expect(await check.ok('gc pin', '--list')).toHaveLength(2);
    await check.ok('gc unpin', pin.pin_id);

    await check.ok('restore', 'base', '--name', 'beside');
    await check.ok('restore', 'HEAD', '--path', 'a', '--to', `${dir}/out`);
    await check.ok('restore', 'base', '--inplace', '--force', '--reason', 'to see', '--dry-run');
    await check.ok('restore', 'base', '--inplace', '--force', '--reason', 'to see');
    await check.ok('worktree create', 'empty');
    await check.ok('fork', 'one');
    expect(await check.ok('fork', first.snapshot_id, 'many', '-n', '2')).toHaveLength(2);
    expect(await check.ok('worktree list')).toHaveLength(6);
    await check.ok('worktree path', 'empty');
    await check.ok('worktree rename', 'empty', 'void');
    await check.ok('worktree remove', 'void', '--dry-run');
    await check.ok('worktree remove', 'void');

    await check.ok('verify');
    await check.ok('verify', 'HEAD', '--no-payload');
    await check.ok('doctor', '--strict');
    await check.ok('doctor', '--repair-runtime', '--dry-run');
    await check.ok('doctor', '--fs');
    await check.ok('ref delete', 'base');
    const { plan_id: plan } = await check.ok<{ plan_id: string }>('gc plan', '--keep-last', '1', '--keep-tag', 'v');
    await check.ok('gc run', '--plan-id', plan, '--dry-run');
    await check.ok('gc run', '--plan-id', plan);
    await check.ok('audit show');
    await check.ok('audit verify');
    await check.ok('lock release');
    await check.ok('conformance run', '--only', '18');
    const lines = (await ada.ok(['audit', 'export'])).trimEnd().split('\n');
    for (const line of lines) valid('audit-export', JSON.parse(line));

    expect([...check.seen, 'audit export'].map((name) => name.replaceAll(' ', '-')).toSorted()).toEqual(
      names.filter((name) => name !== 'definitions' && name !== 'error').toSorted(),
    );
  });

  test('describe what commands print that find damage', { timeout: 60_000 }, async ({ saved, ada }) => {
    const check = new Checked(ada);
    await ada.ok(['snapshot', 'second']);
    rmSync(`${saved.control}/descriptors/${saved.id}.json`);
    await check.bad('history');
    const { snapshot_id: second } = await ada.json<{ snapshot_id: string }>(['snapshot', 'third']);
    writeFileSync(`${saved.control}/snapshots/${second}/hello.txt`, 'HELLO\n');
    writeFileSync(slot(auditLog(saved), 2), '{}\n');

    await check.bad('verify', second);
    await check.bad('verify', '--all');
    await check.bad('audit verify');
    await check.bad('doctor', '--strict');
    await check.bad('audit show');
  });

  test.for<[string[], number]>([
    [['snapshot', '--no-such-flag'], 2],
    [['restore', 'nobody'], 1],
    [['restore', '../x'], 1],
    [['worktree', 'create', 'a/b'], 1],
    [['gc', 'run', '--plan-id', 'none'], 1],
    [['-C', '/', 'info'], 1],
  ])('describe the failure of %j', async ([args, status], { saved, ada }) => {
    const { exitCode, stdout } = await ada.at(saved.main).run(['--json', ...args]);

    expect(exitCode).toBe(status);
    valid('error', JSON.parse(stdout));
  });

  test('refuse a document that lacks a field or has it wrong', () => {
    const validate = ajv.getSchema('lock-release.schema.json');

    expect(validate?.({ worktree: 'main', released: true, added_later: 1 })).toBe(true);
    expect(validate?.({ worktree: 'main' })).toBe(false);
    expect(validate?.({ worktree: 'main', released: 'yes' })).toBe(false);
  });
});
