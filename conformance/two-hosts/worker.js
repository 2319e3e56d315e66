// One of the programs that use the repository at the same time, on one of the hosts. Plain JavaScript: Node runs it as it
// is. Follows a plan made from its seed, and logs what it did and what it was told to a file of its own.
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * @typedef {{ name: string, seed: number, root: string, folder: string, jvs: string[], worktrees: string[],
 *   old: string[], stopFile: string }} WorkerSettings
 * @typedef {{ token: number, leaseMs: number }} Held
 * @typedef {{ exitCode: number | null, stdout: string, document: any, code: string | undefined }} Answer
 */

/** @type {WorkerSettings} */
const settings = JSON.parse(process.argv[2] ?? '{}');
const { name, root, folder, jvs, worktrees } = settings;
const log = `${folder}/${name}.log`;
const random = randomFrom(settings.seed);

/** Locks that we were told we have, by worktree. @type {Map<string, Held>} */
const held = new Map();
/** Snapshots that we were told of, and those from long ago, which may be collected. */
const known = [...settings.old];
/** Worktrees that we made. @type {string[]} */
const made = [];
let commands = 0;
let files = 0;

mkdirSync(`${folder}/home-${name}`, { recursive: true });

/** Milliseconds since the machine started, the same clock in every process of both hosts. */
function now() {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/**
 * Numbers from 0 to 1, the same for the same seed (mulberry32, public domain).
 * @param {number} seed
 */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * @template T
 * @param {readonly T[]} values
 * @returns {T}
 */
function oneOf(values) {
  return /** @type {T} */ (values[Math.floor(random() * values.length)]);
}

/**
 * Runs a command to its end and logs it, before and after.
 * @param {string[]} words
 * @param {{ worktree?: string, token?: number | undefined, shell?: string, killAfterMs?: number }} options
 * @returns {Promise<Answer>}
 */
async function run(words, { worktree, token, shell, killAfterMs } = {}) {
  commands += 1;
  const id = `${name}/${commands}`;
  const env = {
    PATH: process.env['PATH'],
    TZ: 'UTC',
    HOME: `${folder}/home-${name}`,
    JVS_SESSION: name,
    ...(token === undefined ? {} : { JVS_FENCING_TOKEN: String(token) }),
    ...(shell === undefined ? {} : { JVS: jvs.map((word) => `'${word}'`).join(' '), NOTE: id }),
  };
  const scope = worktree === undefined ? [] : ['--worktree', worktree];
  // What `lock exec` runs prints the document.
  const args = shell === undefined ? ['--json', ...words, ...scope] : [...words, ...scope, '--', 'sh', '-c', shell];
  write({ id, event: 'begin', at: now(), words, worktree: worktree ?? null, token: token ?? null });
  const [program = '', ...before] = jvs;
  const child = spawn(program, [...before, ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const killer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  /** @type {[number | null, string | null]} */
  const [exitCode, signal] = await new Promise((resolve) => child.on('close', (...ended) => resolve(ended)));
  clearTimeout(killer);
  write({ id, event: 'end', at: now(), exitCode, signal, stdout, stderr });
  const document = parse(stdout);
  return { exitCode, stdout, document, code: document?.error?.code };
}

/** The id that the next command will have; records and notes name it. */
function nextId() {
  return `${name}/${commands + 1}`;
}

/** @param {object} entry */
function write(entry) {
  appendFileSync(log, `${JSON.stringify({ process: name, ...entry })}\n`);
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {string} worktree */
function payload(worktree) {
  return worktree === 'main' ? `${root}/main` : `${root}/worktrees/${worktree}`;
}

/** What the plan can do next, and how often. @type {[number, () => boolean, () => Promise<void>][]} */
const actions = [
  [30, () => true, acquire],
  [30, () => held.size > 0, publish],
  [8, () => held.size > 0, renew],
  [10, () => held.size > 0, release],
  [5, () => held.size > 0, lose],
  [12, () => true, execute],
  [6, () => known.length > 0 && made.length < 3, createWorktree],
  [4, () => known.length > 0 && made.length < 3, fork],
  [4, () => known.length > 0, createRef],
  [4, () => true, collect],
  [8, () => true, look],
  [3, () => held.size > 0, die],
  [1, () => true, force],
];

async function acquire() {
  const worktree = oneOf(worktrees);
  const leaseMs = oneOf([1000, 2000, 3000]);
  const wait = oneOf([0, 1000, 10_000]);
  const words = ['lock', 'acquire', '--lease-ms', `${leaseMs}`, '--wait', `${wait}`, '--purpose', nextId()];
  const { exitCode, document } = await run(words, { worktree });
  if (exitCode === 0) held.set(worktree, { token: document.lock.fencing_token, leaseMs });
}

/** @returns {[string, Held]} */
function oneHeld() {
  return oneOf([...held]);
}

async function publish() {
  const [worktree, { token }] = oneHeld();
  await writeFiles(worktree);
  const isBound = random() < 0.6;
  await snapshot(worktree, isBound ? token : undefined);
}

/**
 * @param {string} worktree
 * @param {number | undefined} token
 */
async function snapshot(worktree, token) {
  const { exitCode, document, code } = await run(['snapshot', nextId()], { worktree, token });
  if (exitCode === 0) {
    known.push(document.snapshot_id);
    const before = held.get(worktree);
    if (before !== undefined) held.set(worktree, { ...before, token: document.fencing_token });
  }
  if (code === 'E_FENCING_MISMATCH' || code === 'E_LOCK_NOT_HELD' || code === 'E_LOCK_EXPIRED') held.delete(worktree);
}

/** As an editor does: a new file, and another one replaced. @param {string} worktree */
async function writeFiles(worktree) {
  files += 1;
  for (const file of [`${name}-${files % 5}`, 'shared']) {
    const path = `${payload(worktree)}/${file}`;
    try {
      writeFileSync(path, `${name} ${files} ${worktree}\n`.repeat(1 + Math.floor(random() * 200)));
    } catch (error) {
      write({ id: `${name}/${commands}`, event: 'note', at: now(), text: String(error) });
    }
  }
}

async function renew() {
  const [worktree, { token }] = oneHeld();
  const { code } = await run(['lock', 'renew'], { worktree, token: random() < 0.5 ? token : undefined });
  if (code !== undefined) held.delete(worktree);
}

async function release() {
  const [worktree, { token }] = oneHeld();
  const { code } = await run(['lock', 'release'], { worktree, token: random() < 0.5 ? token : undefined });
  if (code === undefined || code === 'E_FENCING_MISMATCH' || code === 'E_LOCK_NOT_HELD') held.delete(worktree);
}

/** Forgets to renew, and goes on as if nothing were. */
async function lose() {
  const [worktree, { token, leaseMs }] = oneHeld();
  await delay(leaseMs + 500 + random() * 6000);
  await writeFiles(worktree);
  await snapshot(worktree, random() < 0.5 ? token : undefined);
}

/** A snapshot whose process is killed somewhere on the way. */
async function die() {
  const [worktree] = oneHeld();
  await writeFiles(worktree);
  await run(['snapshot', nextId()], { worktree, killAfterMs: random() * 900 });
}

async function execute() {
  const worktree = oneOf(worktrees);
  const lease = oneOf(['1000', '2000', '3000']);
  const words = ['lock', 'exec', '--lease-ms', lease, '--wait', oneOf(['0', '10000']), '--purpose', nextId()];
  const path = payload(worktree);
  const shell = `echo "$NOTE" >'${path}/exec-${name}' && sleep ${random().toFixed(1)} && eval "$JVS" --json snapshot '"$NOTE"'`;
  const { exitCode, document } = await run(words, { worktree, shell });
  if (exitCode === 0) known.push(document.snapshot_id);
}

async function createWorktree() {
  const worktree = `${name}-made-${commands}`;
  const { exitCode } = await run(['worktree', 'create', worktree, '--from', oneOf(known)]);
  if (exitCode === 0) made.push(worktree);
}

async function fork() {
  const worktree = `${name}-fork-${commands}`;
  const { exitCode } = await run(['fork', oneOf(known), worktree]);
  if (exitCode === 0) made.push(worktree);
}

async function createRef() {
  await run(['ref', 'create', `${name}-ref-${commands}`, oneOf(known)]);
}

async function collect() {
  const { exitCode, document } = await run([
    'gc',
    'plan',
    '--scope',
    'all',
    '--keep-last',
    '3',
    '--min-age-ms',
    '600000',
  ]);
  if (exitCode === 0 && document.to_delete.length > 0) await run(['gc', 'run', '--plan-id', document.plan_id]);
}

async function look() {
  const worktree = oneOf(worktrees);
  const words = oneOf([['lock', 'status'], ['status'], ['history', '--limit', '5']]);
  await run(words, { worktree });
}

async function force() {
  await run(['lock', 'release', '--force', '--reason', `${name} wants it`], { worktree: oneOf(worktrees) });
}

while (!existsSync(settings.stopFile)) {
  const possible = actions.filter(([, isPossible]) => isPossible());
  let at = random() * possible.reduce((sum, [weight]) => sum + weight, 0);
  const [, , act] = possible.find(([weight]) => (at -= weight) < 0) ?? possible[0] ?? [0, () => true, look];
  await act();
}
write({ id: `${name}/end`, event: 'note', at: now(), text: `${commands} commands` });
