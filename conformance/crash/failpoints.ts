import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What a failpoint may do to the process that reaches it. */
export type Action = 'kill' | 'exit' | 'error:ENOSPC' | 'error:EIO';
export const ACTIONS: Action[] = ['kill', 'error:ENOSPC', 'error:EIO'];

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
const LOCK_STEPS = ['credentials', 'append', 'renew'];
export const FOLD_STEPS = ['checked', 'segment', 'unlink'];
const RESERVE_STEPS = ['unlink', 'write'];
export const SETTLE_STEPS = ['claim', 'judge', 'intruder', 'rebuild'];

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
  ...named('settle', SETTLE_STEPS),
];

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

/** `${name}` stands for each log, `${label}` for whatever the same file passes to `step`. */
function expanded(template: string, text: string): string[] {
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
