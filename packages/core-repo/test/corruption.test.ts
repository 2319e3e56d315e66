import { Buffer } from 'node:buffer';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { systemClock } from '@jvs/platform/clock';
import { CodedError } from '@jvs/platform/errors';
import { writePayload } from '@jvs/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  acquireLock,
  createRef,
  createSnapshot,
  createWorktree,
  doctor,
  initRepository,
  openRepository,
  openWorktree,
  pin,
  planGc,
  releaseLock,
  runGc,
  verifyAll,
  verifySnapshot,
  type Caller,
  type Repository,
} from '../src/index.ts';

/** What may be lost or changed without anybody noticing, as docs/specs/jvs.md has it; see 3.5. */
const NOT_COUNTED = {
  newestState: 'the newest record of a state log: as if a backup had been taken before it',
  newestAudit: 'the newest audit record: as a crash leaves it, told as audit_missing',
};

let home = '';
let control = '';
/** Paths below `.jvs` of everything that travels and that something vouches for. */
let files: string[] = [];
let caller: Caller;

beforeAll(async () => {
  home = mkdtempSync(`${tmpdir()}/jvs-corruption-`);
  caller = { actor: 'host:ada:1:1', sessionId: 'ada@host', stateHome: `${home}/state` } as Caller;
  control = `${home}/repo/.jvs`;
  await build(`${home}/repo`);
  files = filesBelow('').filter((path) => !/^(cache|intents|locks|tmp|reserve|gc\/(plans|retention))/.test(path));
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Two worktrees, a deleted snapshot with its tombstone, a ref, a pin, a log of a removed lock, and their records. */
async function build(root: string): Promise<void> {
  const { repository: r } = await initRepository(root, caller);
  const main = await openWorktree(r, 'main');
  await acquireLock(main, { leaseDurationMs: 86_400_000 });
  writePayload(main.path, 'M3');
  const ids: string[] = [];
  for (const note of ['pinned', 'deleted', 'named', 'head']) {
    writeFileSync(`${main.path}/note`, `${note}\n`);
    ids.push((await createSnapshot(main, { note, tags: [note] })).snapshot_id);
  }
  const [pinned = '', deleted = '', named = ''] = ids;
  await pin(r, pinned, { reason: 'kept' });
  await createRef(r, 'release', named, { note: 'kept too' });
  await createWorktree(r, 'second', { from: named, label: 'another' });
  const second = await openWorktree(r, 'second');
  await acquireLock(second);
  await releaseLock(second);

  // A month later, when no head of the last week and no young record protects anything.
  const later = { ...systemClock, now: () => Date.now() + 30 * 86_400_000 };
  const future = await openRepository(root, caller, { clock: later });
  const plan = await planGc(future, { scope: 'all' });
  expect(plan.to_delete).toEqual([deleted]);
  await runGc(future, plan.plan_id);
  await releaseLock(main);
}

/** With a clock that waits for nobody: what a busy log might still settle is given no time to. */
async function open(): Promise<Repository> {
  return await openRepository(`${home}/repo`, caller, { clock: { ...systemClock, sleep: async () => {} } });
}

function filesBelow(directory: string): string[] {
  const names = readdirSync(`${control}/${directory}`, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => statSync(`${control}/${name}`, { throwIfNoEntry: false })?.isFile() === true)
    .toSorted();
}

type Damage = [title: string, bytes: Uint8Array | undefined];

/** Single bytes that differ, at the ends and in between; cut short by one, by half, to nothing; gone. */
function damages(path: string, bytes: Buffer): Damage[] {
  // Contents are hashed whole; there are many of them, and each takes threads to be read.
  const shares = isPayload(path) ? [0, 1] : [0, 1, 1 / 4, 1 / 2, 3 / 4];
  const offsets = [...new Set(shares.map((share) => Math.floor(share * (bytes.length - 1))))];
  const masks = [0x01, 0x20, 0x2a, 0x80];
  const flips =
    bytes.length === 0
      ? []
      : offsets.map((offset, index): Damage => {
          const changed = Buffer.from(bytes);
          changed[offset] = (changed[offset] ?? 0) ^ (masks[index % masks.length] ?? 1);
          return [`byte ${offset} of ${bytes.length} changed`, changed];
        });
  const cuts = [...new Set([bytes.length - 1, Math.floor(bytes.length / 2), 0])].filter(
    (end) => end < bytes.length && end >= 0,
  );
  return [
    ...flips,
    ...cuts.map((end): Damage => [`cut to ${end} of ${bytes.length}`, bytes.subarray(0, end)]),
    ['removed', undefined],
  ];
}

function isPayload(path: string): boolean {
  return path.startsWith('snapshots/') && !/^snapshots\/[^/]+\/\.READY$/.test(path);
}

interface Verdict {
  found: boolean;
  categories: string[];
  /** A failure that is none of the classes that a command may end with. */
  crash: unknown;
}

/**
 * What `verify --all` and, if that finds nothing, `doctor --strict` say. Contents are read only of the snapshot that was
 * damaged, as both commands do with each.
 */
async function examine(path: string): Promise<Verdict> {
  try {
    const r = await open();
    const { tamper_detected: isTampered, severity } = isPayload(path)
      ? await verifySnapshot(r, path.split('/')[1] ?? '')
      : await verifyAll(r, { payload: false });
    if (isTampered || severity === 'error') return { found: true, categories: [], crash: undefined };
    const { healthy, findings } = await doctor(r, { strict: true });
    return { found: !healthy, categories: findings.map(({ category }) => category), crash: undefined };
  } catch (error) {
    const isTold = error instanceof CodedError || (error instanceof Error && 'errno' in error);
    return { found: isTold, categories: [], crash: isTold ? undefined : error };
  }
}

function isExcused(path: string, title: string, { categories }: Verdict): string | undefined {
  const directory = dirname(path);
  const isLog = path.startsWith('state/') || path.startsWith('audit/');
  if (
    !isLog ||
    title !== 'removed' ||
    readdirSync(`${control}/${directory}`).some((name) => `${directory}/${name}` > path)
  ) {
    return undefined;
  }
  if (path.startsWith('state/')) return NOT_COUNTED.newestState;
  return categories.includes('audit_missing') ? NOT_COUNTED.newestAudit : undefined;
}

const PARTS = [
  'format_version',
  'repo_id',
  'worktrees/',
  'state/',
  'snapshots/',
  'descriptors/',
  'manifests/',
  'refs/',
  'audit/',
  'gc/tombstones/',
  'gc/pins/',
];

describe('a repository with everything in it', () => {
  test('is healthy, and has a file of each kind', async () => {
    expect(await doctor(await open(), { strict: true })).toMatchObject({ healthy: true, findings: [] });
    expect(PARTS.filter((part) => !files.some((path) => path.startsWith(part)))).toEqual([]);
    expect(files.filter((path) => !PARTS.some((part) => path.startsWith(part)))).toEqual([]);
  });

  test.for(PARTS)('any damage to %s is found', { timeout: 120_000 }, async (part) => {
    const missed: string[] = [];
    for (const path of files.filter((file) => file.startsWith(part))) {
      const file = `${control}/${path}`;
      const original = readFileSync(file);
      const { atime, mtime, mode } = statSync(file);
      for (const [title, bytes] of damages(path, original)) {
        if (bytes === undefined) rmSync(file);
        else writeFileSync(file, bytes);
        const verdict = await examine(path);
        if (verdict.crash !== undefined) throw new Error(`${path}, ${title}`, { cause: verdict.crash });
        if (!verdict.found && isExcused(path, title, verdict) === undefined) missed.push(`${path}: ${title}`);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, original, { mode });
        utimesSync(file, atime, mtime);
      }
    }
    expect(missed).toEqual([]);
  });

  test('is healthy again once everything is back', async () => {
    expect(await doctor(await open(), { strict: true })).toMatchObject({ healthy: true, findings: [] });
  });
});
