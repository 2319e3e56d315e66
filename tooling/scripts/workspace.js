// Plain JavaScript with nothing but Node's own modules: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
export const JVS = join(ROOT, 'apps/jvs/dist/main.js');

/** @typedef {{ ok: boolean, output: string, isSkipped?: boolean }} Outcome */

/** Says for which manifests and lock file `node_modules` was made. */
const STAMP = join(ROOT, 'node_modules/.installed-for');

/**
 * Runs a program in the root folder.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, show?: boolean }} [options] `show`: its output goes
 *   to ours; else it is returned
 * @returns {Outcome}
 */
export function run(program, args, { cwd = ROOT, env = process.env, show = false } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: show ? 'inherit' : ['ignore', 'pipe', 'pipe'],
  });
  const output = error === undefined ? `${stdout ?? ''}${stderr ?? ''}` : String(error);
  return { ok: status === 0, output };
}

/**
 * Runs a tool that the workspace has installed, by the Node that runs us.
 * @param {string} tool
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function runTool(tool, args, options) {
  return run(join(ROOT, 'node_modules/.bin', tool), args, {
    ...options,
    env: { ...(options?.env ?? process.env), PATH: `${join(process.execPath, '..')}:${process.env['PATH']}` },
  });
}

/**
 * Makes `node_modules` as the lock file says. Where it already is, nothing happens, so that no network is needed. The
 * first time pnpm comes through npx; from then on it is the one in `node_modules`.
 * @returns {Outcome}
 */
export function ensureInstalled() {
  const wanted = inputsDigest();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return { ok: true, output: '' };
  const args = ['install', '--frozen-lockfile', '--prefer-offline', ...storeInUse()];
  const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const installed = existsSync(join(ROOT, 'node_modules/pnpm/package.json'));
  const local = installed && packageManager === `pnpm@${versionOf(join(ROOT, 'node_modules/pnpm/package.json'))}`;
  // npm run --silent would keep npx from saying why it failed.
  const env = { ...process.env, npm_config_loglevel: 'warn' };
  const install = () => (local ? runTool('pnpm', args, { env }) : run('npx', ['-y', packageManager, ...args], { env }));
  // A registry that does not answer once is not worth a failed run.
  const first = install();
  const result = first.ok ? first : install();
  if (result.ok) writeFileSync(STAMP, wanted);
  return result;
}

/**
 * The store that `node_modules` is linked to. With another one, as another HOME would bring, pnpm removes the whole folder
 * first, and without a network that would leave nothing.
 * @returns {string[]}
 */
function storeInUse() {
  const record = join(ROOT, 'node_modules/.modules.yaml');
  if (!existsSync(record)) return [];
  const store = /^\s*"?storeDir"?: *"?([^"\n]+?)"?,?$/m.exec(readFileSync(record, 'utf8'))?.[1];
  return store === undefined ? [] : ['--store-dir', store.replace(/\/v\d+$/, '')];
}

/**
 * Builds what the CLIs are started from, unless no source has changed since.
 * @returns {Outcome}
 */
export function ensureBuilt() {
  const newest = Math.max(...sourceFolders().map(newestChange), statSync(STAMP).mtimeMs);
  if (existsSync(JVS) && statSync(JVS).mtimeMs > newest) return { ok: true, output: '' };
  return buildApps();
}

/** @returns {Outcome} */
export function buildApps() {
  const outcomes = apps().map((app) => runTool('tsup', [], { cwd: join(ROOT, 'apps', app) }));
  return { ok: outcomes.every(({ ok }) => ok), output: outcomes.map(({ output }) => output).join('\n') };
}

/** @param {string} manifest */
function versionOf(manifest) {
  return /** @type {string} */ (JSON.parse(readFileSync(manifest, 'utf8')).version);
}

function inputsDigest() {
  const digest = createHash('sha256');
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests()]) {
    digest
      .update(`${file}\0`)
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  }
  return digest.digest('hex');
}

function manifests() {
  const members = ['packages', 'apps', 'tooling'].flatMap((folder) => {
    const names = readdirSync(join(ROOT, folder)).toSorted();
    return names.map((name) => `${folder}/${name}/package.json`);
  });
  return ['package.json', 'conformance/package.json', 'conformance/jvs/package.json', ...members].filter((file) =>
    existsSync(join(ROOT, file)),
  );
}

function sourceFolders() {
  const packages = readdirSync(join(ROOT, 'packages')).map((name) => join(ROOT, 'packages', name, 'src'));
  const own = apps().map((app) => join(ROOT, 'apps', app, 'src'));
  const kit = join(ROOT, 'conformance/jvs/src');
  return [...packages, ...own, kit, join(ROOT, 'tooling/tsup')].filter((folder) => existsSync(folder));
}

/** The folders of the apps. */
export function apps() {
  return readdirSync(join(ROOT, 'apps'));
}

/**
 * @param {string} folder
 * @returns {number}
 */
function newestChange(folder) {
  const times = readdirSync(folder, { recursive: true, withFileTypes: true }).map(
    (entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs,
  );
  return Math.max(0, ...times);
}
