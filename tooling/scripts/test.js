// `npm test`: sets everything up, then checks everything. The last line is `N passed, N failed, N skipped`.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ensureSystemPackages } from '../services/system-packages.js';
import { smokeTarballs } from './smoke-tarballs.js';
import { paint, seconds } from './terminal.js';
import { buildApps, ensureInstalled, ROOT, runTool } from './workspace.js';

/** @typedef {import('./workspace.js').Outcome} Outcome */

const LONG = process.argv.includes('--long');
/** Only what needs no test to run: types, lint, format, unused code. */
const CHECK_ONLY = process.argv.includes('--check');
/** Real hosts and a real network filesystem. */
const TWO_HOSTS = 'conformance/two-hosts/**';
/** Where CI runs, a test that is skipped is one that fails. */
const CI = ['true', '1'].includes(process.env['CI'] ?? '');
const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const skipped = [];

/**
 * One check: it counts as passed, failed or skipped, and shows its output unless it passed.
 * @param {string} name
 * @param {() => Outcome} check
 * @returns {boolean}
 */
function step(name, check) {
  const startedAt = performance.now();
  const { ok, output, isSkipped = false } = attempt(check);
  if (!ok || isSkipped) process.stdout.write(`${output.trimEnd()}\n`);
  if (isSkipped) skipped.push(name);
  total[isSkipped ? 'skipped' : ok ? 'passed' : 'failed'] += 1;
  const verdict = isSkipped ? paint('yellow', 'skip  ') : ok ? paint('green', 'ok    ') : paint('red', 'FAILED');
  console.log(`${verdict} ${name.padEnd(44)} ${paint('dim', seconds(performance.now() - startedAt))}`);
  return ok;
}

/**
 * @param {() => Outcome} check
 * @returns {Outcome}
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

/**
 * Vitest's own count; its run is not a check of its own unless it fails without a failing test.
 * @param {string} name
 * @param {string[]} args
 */
function tests(name, args) {
  const folder = mkdtempSync(join(tmpdir(), 'jvs-test-report-'));
  const report = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const env = { ...process.env, ...(LONG ? { JVS_TEST_LONG: '1' } : {}) };
    const { ok } = runTool('vitest', ['run', ...args, ...reporters], { env, show: true });
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    total.passed += numPassedTests;
    total.failed += numFailedTests;
    const missed = testResults.flatMap(skippedTests);
    skipped.push(...missed);
    total.skipped += missed.length;
    if (!ok && numFailedTests === 0) step(name, () => ({ ok, output: 'vitest failed outside its tests; see above.' }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {{ name: string, assertionResults: { status: string, fullName: string }[] }} file
 * @returns {string[]}
 */
function skippedTests({ name, assertionResults }) {
  return assertionResults
    .filter(({ status }) => status !== 'passed' && status !== 'failed')
    .map(({ fullName }) => `${relative(ROOT, name)}: ${fullName}`);
}

function finish() {
  for (const name of skipped) console.log(`skipped: ${name}`);
  if (CI && skipped.length > 0) {
    console.log('Nothing may be skipped where CI runs.');
    total.failed += 1;
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed === 0 ? 0 : 1;
}

function main() {
  console.log(`Node ${process.version}`);
  if (!CHECK_ONLY) step('system packages', systemPackages);
  if (!step('install', ensureInstalled)) return;
  const areBuilt =
    step('build: packages', () => runTool('tsc', ['-b'])) && (CHECK_ONLY || step('build: apps', buildApps));
  step('types', () => runTool('tsc', ['-p', 'tsconfig.check.json']));
  step('lint', () => runTool('oxlint', ['--type-aware']));
  step('format', () => runTool('oxfmt', ['--check']));
  step('unused code and dependencies', () => runTool('knip', []));
  if (!areBuilt || CHECK_ONLY) return;
  // What runs for minutes with short leases has the machine to itself.
  tests('tests', ['--exclude', TWO_HOSTS]);
  tests('two hosts', [TWO_HOSTS.replace('/**', '')]);
  for (const [name, check] of smokeTarballs()) step(name, check);
}

try {
  main();
} catch (error) {
  step('the run itself', () => {
    throw error;
  });
} finally {
  finish();
}
