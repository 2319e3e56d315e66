import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** What a failpoint may do to the process that reaches it. */
export type Action = 'kill' | 'exit' | 'error:ENOSPC' | 'error:EIO';
export const ACTIONS: Action[] = ['kill', 'error:ENOSPC', 'error:EIO'];

/** Death and a full disk at every step. */
export function mostActions(steps: readonly string[]): (readonly [string, Action])[] {
  return steps.flatMap((step) => [[step, 'kill'] as const, [step, 'error:ENOSPC'] as const]);
}

/** The steps of publishing, in order; the state record is appended between `descriptor` and `commit`. */
export const BEFORE_COMMIT = [
  'begin',
  'intent',
  'clone',
  'manifest',
  'metadata',
  'compose',
  'manifest-link',
  'ready',
  'rename',
  'descriptor',
];
export const AFTER_COMMIT = ['commit', 'audit', 'intent-unlink'];
export const DROP_STEPS = ['drop-claim', 'drop-tree', 'drop-descriptor'];
export const ADOPT_STEPS = ['acquire', 'claim', 'append', 'audit'];
export const APPEND_STEPS = ['temp', 'link', 'unlink', 'checked', 'synced'];
export const CREATE_STEPS = ['opdir', 'claim', 'record', 'audit', 'payload', 'end'];
export const RENAME_STEPS = ['opdir', 'begin', 'audit', 'payload', 'claim', 'arrive', 'oldmeta', 'end'];
export const REMOVE_STEPS = ['opdir', 'begin', 'audit', 'payload', 'metadata', 'end', 'discard'];
export const RESTORE_STEPS = ['opdir', 'begin', 'audit', 'old', 'new', 'end', 'discard'];
/** Of a run, in order. */
export const GC_RUN_STEPS = ['rundir', 'mark', 'move', 'tombstone', 'descriptor', 'manifest', 'tree', 'done'];
export const OBJECT_STEPS = ['file', 'audit', 'delete-audit', 'unlink'];
const LOCK_STEPS = ['credentials', 'append', 'renew'];
export const FOLD_STEPS = ['checked', 'segment', 'unlink'];
const RESERVE_STEPS = ['unlink', 'write'];
export const SETTLE_STEPS = ['claim', 'judge', 'intruder', 'rebuild'];

export const AUDIT_REPAIR_STEPS = ['archive', 'chain', 'place'];
export const RESET_STATE_STEPS = ['opdir', 'record', 'config', 'archive', 'audit'];
export const LOG_REPAIR_STEPS = ['unlink'];

const named = (area: string, steps: string[]) => steps.map((step) => `${area}:${step}`);

/** Every name that a test of this folder arms. */
export const COVERED = [
  ...named('publish', [...BEFORE_COMMIT, ...AFTER_COMMIT, ...DROP_STEPS]),
  ...named('adopt', ADOPT_STEPS),
  ...['append', 'append-state', 'append-audit'].flatMap((area) => named(area, APPEND_STEPS)),
  ...named('create', CREATE_STEPS),
  ...named('lock', LOCK_STEPS),
  ...named('fold', FOLD_STEPS),
  ...named('reserve', RESERVE_STEPS),
  ...named('rename', RENAME_STEPS),
  ...named('remove', REMOVE_STEPS),
  ...named('restore', [...RESTORE_STEPS, 'staged']),
  ...named('settle', SETTLE_STEPS),
  ...named('audit-repair', AUDIT_REPAIR_STEPS),
  ...named('reset-state', RESET_STATE_STEPS),
  ...named('log-repair', LOG_REPAIR_STEPS),
  ...['ref', 'pin'].flatMap((kind) => named(kind, OBJECT_STEPS)),
  ...named('gc', ['plan', ...GC_RUN_STEPS, 'abandon-claim', 'abandon-done']),
];

/**
 * Each step with one combination of the dimensions' values, which between them take every value; with `JVS_TEST_LONG`
 * each step with all of them.
 */
export function variants<T extends Record<string, readonly unknown[]>>(
  steps: readonly string[],
  dimensions: T,
): ({ step: string } & { [K in keyof T]: T[K][number] })[] {
  const names = Object.keys(dimensions) as (keyof T)[];
  const all = names.reduce<Record<string, unknown>[]>(
    (made, name) => made.flatMap((one) => (dimensions[name] ?? []).map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
  const isLong = process.env['JVS_TEST_LONG'] === '1';
  // Stepping by an odd number through a list of even length passes all of it.
  const chosen = steps.flatMap((step, index) => {
    const some = isLong ? all : [all[(index * 3) % all.length]];
    return some.map((values) => ({ step, ...values }));
  });
  return chosen as ({ step: string } & { [K in keyof T]: T[K][number] })[];
}

/** Every name that the source passes to `failpoint`, so that a new step cannot escape. */
export function failpointsInSource(): string[] {
  const names = new Set<string>();
  for (const text of sources()) {
    for (const [, name = ''] of text.matchAll(/\bfailpoint\('([^']+)'\)/g)) names.add(name);
    for (const [, template = ''] of text.matchAll(/\bfailpoint\(`([^`]+)`\)/g)) {
      for (const name of expanded(template, text)) names.add(name);
    }
  }
  return [...names].toSorted();
}

/** `${name}` stands for each log, `${label}` for whatever the same file passes to `step`, `${kind}` for ref and pin. */
function expanded(template: string, text: string): string[] {
  const kinds = /\$\{(?:object\.)?kind\}/;
  if (kinds.test(template)) return ['ref', 'pin'].map((kind) => template.replace(kinds, kind));
  const logs = template.includes('${name}') ? ['state', 'audit'] : [''];
  const labels = [...text.matchAll(/\bstep\('([a-z-]+)'\)/g)].map(([, label = '']) => label);
  return logs.flatMap((log) => labels.map((label) => template.replace('${name}', log).replace('${label}', label)));
}

function sources(): string[] {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  return ['packages', 'apps']
    .flatMap((folder) => readdirSync(`${root}${folder}`).map((name) => `${root}${folder}/${name}/src`))
    .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`))
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(path, 'utf8'));
}
