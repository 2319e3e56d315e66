// `npm run demo`: sets everything up, then shows the main job of jvs on a real tree, the project's own node_modules.
// With --keep the repository stays, to be looked at.
import { spawnSync } from 'node:child_process';
import { appendFileSync, lstatSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { megabytes, paint, seconds } from './terminal.js';
import { ensureBuilt, ensureInstalled, JVS, ROOT } from './workspace.js';

const KEEP = process.argv.includes('--keep');
const SHOWN_LINES = 12;
const INTERRUPTED = 130;
/** Without reflinks there are four copies of the tree at the end: imported, two snapshots, restored. */
const COPIES = 4.5;

/** @param {string} text */
function tell(text) {
  console.log(`\n${paint('bold', text)}`);
}

/**
 * Runs one jvs command, shows it with its output and its time, and returns the output.
 * @param {string} cwd
 * @param {string[]} args
 * @param {Record<string, string>} env
 */
function jvs(cwd, args, env) {
  const typed = args.map((arg) => (/^[\w./:=@-]+$/.test(arg) ? arg : `'${arg}'`)).join(' ');
  console.log(`${paint('cyan', '$')} jvs ${typed}`);
  const startedAt = performance.now();
  const { status, signal, stdout } = spawnSync(process.execPath, [JVS, ...args], {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const elapsed = performance.now() - startedAt;
  if (signal === 'SIGINT' || status === INTERRUPTED) process.exit(INTERRUPTED);
  const lines = (stdout ?? '').trimEnd().split('\n');
  for (const line of lines.slice(0, SHOWN_LINES)) console.log(`  ${line}`);
  if (lines.length > SHOWN_LINES) console.log(paint('dim', `  … and ${lines.length - SHOWN_LINES} more lines`));
  console.log(paint('dim', `  (${seconds(elapsed)})`));
  if (status !== 0) throw new Error(`jvs ${args[0]} ended with status ${status}`);
  return stdout ?? '';
}

/**
 * @param {string} folder
 * @returns {{ files: number, bytes: number }}
 */
function measure(folder) {
  const sizes = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => lstatSync(join(entry.parentPath, entry.name)).size);
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/**
 * A new folder where there is room: for temporary files, which may lie in memory, or else beside the project.
 * @param {number} neededBytes
 */
function makeFolder(neededBytes) {
  const parents = [tmpdir(), join(ROOT, '..')];
  const roomy = parents.find((parent) => {
    const { bavail, bsize } = statfsSync(parent);
    return bavail * bsize > neededBytes;
  });
  if (roomy === undefined) {
    console.error(
      `The demo needs ${megabytes(neededBytes)} of disk for a minute; neither of these has it: ${parents.join(', ')}`,
    );
    process.exit(1);
  }
  return mkdtempSync(join(roomy, 'jvs-demo-'));
}

/** @param {string} output */
function snapshotIn(output) {
  const id = /\d{13,}-[0-9a-f]{8}/.exec(output)?.[0];
  if (id === undefined) throw new Error(`No snapshot id in: ${output}`);
  return id;
}

/**
 * @param {string} folder
 * @param {{ files: number, bytes: number }} tree
 */
function main(folder, { files, bytes }) {
  const env = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: folder,
    ...(process.stdout.isTTY ? { TERM: process.env['TERM'] ?? 'dumb' } : {}),
  };
  const project = join(folder, 'demo');
  const worktree = join(project, 'main');
  console.log(
    `A real tree: this project's node_modules, ${files} files, ${megabytes(bytes)}. Everything happens in ${folder}`,
  );

  tell('1. A repository with a copy of the tree in its first worktree. The source is only read.');
  console.log("What a copy cannot keep is said: here, maybe, hard links into the package manager's store.");
  jvs(folder, ['init', 'demo', '--import', join(ROOT, 'node_modules')], env);
  jvs(worktree, ['info'], env);

  tell('2. Whoever writes holds the lock; everybody else can see who it is.');
  jvs(worktree, ['lock', 'acquire', '--purpose', 'showing jvs'], env);

  tell('3. A snapshot: the whole tree, every byte of the copy read and hashed.');
  const first = snapshotIn(jvs(worktree, ['snapshot', 'as installed', '--tag', 'demo'], env));

  tell('4. Work goes on: one file grows, one is new, a whole folder is lost.');
  appendFileSync(join(worktree, '.modules.yaml'), '# a line more\n');
  writeFileSync(join(worktree, 'notes.txt'), 'Something new\n');
  const victim = readdirSync(join(worktree, '.pnpm')).find((name) => name.startsWith('picocolors')) ?? '';
  if (victim !== '') rmSync(join(worktree, '.pnpm', victim), { recursive: true });
  jvs(worktree, ['status'], env);
  jvs(worktree, ['snapshot', 'after the accident'], env);
  jvs(worktree, ['history'], env);

  tell('5. Back to the first state, beside the present one: nothing is overwritten.');
  jvs(worktree, ['restore', first, '--name', 'rescued'], env);
  jvs(worktree, ['worktree', 'list'], env);

  tell('6. Proof: every byte of every snapshot is read again, and the chain of records is checked.');
  jvs(worktree, ['verify', '--all'], env);
  jvs(worktree, ['audit', 'verify'], env);
  jvs(worktree, ['lock', 'release'], env);
  jvs(worktree, ['doctor', '--strict'], env);
}

const startedAt = performance.now();
for (const [name, prepare] of /** @type {const} */ ([
  ['Installing what is needed', ensureInstalled],
  ['Building', ensureBuilt],
])) {
  console.log(paint('dim', `${name} …`));
  const { ok, output } = prepare();
  if (!ok) {
    console.error(output);
    process.exit(1);
  }
}

const tree = measure(join(ROOT, 'node_modules'));
const folder = makeFolder(COPIES * tree.bytes);
const demoStartedAt = performance.now();
process.on('SIGINT', () => process.exit(INTERRUPTED));
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(143));
process.on('exit', () => {
  if (!KEEP) rmSync(folder, { recursive: true, force: true });
});
main(folder, tree);
const now = performance.now();
console.log(
  `\n${paint('green', 'Done')} in ${seconds(now - demoStartedAt)} (${seconds(now - startedAt)} with set-up).`,
);
console.log(KEEP ? `The repository is in ${folder}` : 'Everything has been removed again; with -- --keep it stays.');
