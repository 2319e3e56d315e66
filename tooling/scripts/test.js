// `npm test`: sets everything up, then checks everything. The last line is `N passed, N failed, N skipped`.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureSystemPackages } from '../services/system-packages.js';
import { smokeTarballs } from './smoke-tarballs.js';
import { paint, seconds } from './terminal.js';
import { buildApps, ensureInstalled, runTool } from './workspace.js';

const LONG = process.argv.includes('--long');
const CI = !LONG && ['true', '1'].includes(process.env['CI'] ?? '');
const total = { passed: 0, failed: 0, skipped: 0 };

/**
 * One check: it counts as passed or failed, and shows its output only when it fails.
 * @param {string} name
 * @param {() => { ok: boolean, output: string }} check
 * @returns {boolean}
 */
function step(name, check) {
  const startedAt = performance.now();
  const { ok, output } = attempt(check);
  if (!ok) process.stdout.write(`${output.trimEnd()}\n`);
  total[ok ? 'passed' : 'failed'] += 1;
  const verdict = ok ? paint('green', 'ok    ') : paint('red', 'FAILED');
  console.log(`${verdict} ${name.padEnd(44)} ${paint('dim', seconds(performance.now() - startedAt))}`);
  return ok;
}

/**
 * @param {() => { ok: boolean, output: string }} check
 * @returns {{ ok: boolean, output: string }}
 */
function attempt(check) {
  try {
    return check();
  } catch (error) {
    return { ok: false, output: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function systemPackages() {
  const missing = ensureSystemPackages((line) => console.log(line));
  // Without root a list is all there can be; where CI runs, the packages must be there.
  return { ok: missing.length === 0 || !CI, output: `Still missing: ${missing.join(' ')}` };
}

function tests() {
  const folder = mkdtempSync(join(tmpdir(), 'jvs-test-report-'));
  const report = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const env = { ...process.env, ...(LONG ? { CI: undefined, JVS_TEST_LONG: '1' } : {}) };
    const { ok } = runTool('vitest', ['run', ...reporters], { env, show: true });
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, 'utf8'));
    total.passed += numPassedTests;
    total.failed += numFailedTests;
    total.skipped += numPendingTests + numTodoTests;
    return { ok, output: 'vitest failed; see above.' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function finish() {
  if (CI && total.skipped > 0) {
    console.log(`${total.skipped} tests were skipped that CI should have run.`);
    total.failed += 1;
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed === 0 ? 0 : 1;
}

function main() {
  console.log(`Node ${process.version}`);
  step('system packages', systemPackages);
  if (!step('install', ensureInstalled)) return;
  const built = [step('build: packages', () => runTool('tsc', ['-b'])), step('build: apps', buildApps)].every(Boolean);
  step('types', () => runTool('tsc', ['-p', 'tsconfig.check.json']));
  step('lint', () => runTool('oxlint', ['--type-aware']));
  step('format', () => runTool('oxfmt', ['--check']));
  step('unused code and dependencies', () => runTool('knip', []));
  if (!built) return;
  step('tests', tests);
  for (const [name, check] of smokeTarballs()) step(name, check);
}

main();
finish();
