// `npm run build`: installs what is needed and builds packages and apps. With --install <prefix> puts the CLIs there.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { seconds } from './terminal.js';
import { apps, buildApps, ensureInstalled, ROOT, run, runTool } from './workspace.js';

const { values } = parseArgs({ options: { install: { type: 'string' } } });

/** @param {string} prefix */
function installApps(prefix) {
  const folder = mkdtempSync(join(tmpdir(), 'jvs-install-'));
  try {
    const packed = apps().map((app) =>
      runTool('pnpm', ['pack', '--pack-destination', folder], { cwd: join(ROOT, 'apps', app) }),
    );
    const failed = packed.find(({ ok }) => !ok);
    if (failed !== undefined) return failed;
    const tarballs = readdirSync(folder).map((name) => join(folder, name));
    return run('npm', ['install', '-g', '--prefix', prefix, '--offline', '--no-audit', '--no-fund', ...tarballs]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const prefix = values.install === undefined ? undefined : resolve(values.install);
/** @type {[name: string, act: () => import('./workspace.js').Outcome][]} */
const steps = [
  ['install', ensureInstalled],
  ['build packages', () => runTool('tsc', ['-b'])],
  ['build apps', buildApps],
  ...(prefix === undefined
    ? []
    : [
        /** @type {[string, () => import('./workspace.js').Outcome]} */ ([
          `install into ${prefix}`,
          () => installApps(prefix),
        ]),
      ]),
];
for (const [name, act] of steps) {
  const startedAt = performance.now();
  const { ok, output } = act();
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(30)} ${seconds(performance.now() - startedAt)}`);
  if (ok) continue;
  console.error(output);
  process.exit(1);
}
if (prefix === undefined) console.log('To have jvs on the PATH: make install PREFIX=~/.local (default: /usr/local)');
else console.log(`jvs is ${join(prefix, 'bin/jvs')}`);
