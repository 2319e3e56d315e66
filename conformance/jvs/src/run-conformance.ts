import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CodedError } from '@jvs/platform/errors';
import type { Check, Profile } from './check.ts';
import { CheckContext } from './check-context.ts';
import { CHECKS } from './checks/all.ts';
import { mountExtraFilesystems, type ExtraFilesystem } from './extra-filesystems.ts';
import { shown, startProgram } from './program.ts';

/** The program to be judged does not start, or does not say its version. */
export class ProgramUnusableError extends CodedError {
  readonly code = 'E_NOT_FOUND';
  constructor(bin: readonly string[], why: string) {
    super(`${bin.join(' ')} --version does not work: ${why}`, {
      hint: 'Name a program that takes jvs command lines, with its full path or one on PATH.',
      details: { bin },
    });
  }
}

/** There is no check of this number. */
export class UnknownCheckError extends CodedError {
  readonly code = 'E_USAGE';
  constructor(number: number) {
    super(`There is no check ${number}: they are numbered from 1 to ${CHECKS.length}`);
  }
}

export interface ConformanceOptions {
  /** The program to be judged, or its words: an interpreter, its arguments, the program. */
  bin: string | readonly string[];
  /** `dev` waits for nothing; `release` lets leases run out and, as root, goes to further filesystems. Default: `dev`. */
  profile?: Profile | undefined;
  /** An existing directory to work in; what is made there is removed again. Default: the system's for temporary files. */
  directory?: string | undefined;
  /** The numbers of the checks to run. Default: all. */
  only?: readonly number[] | undefined;
  /** How many checks run at a time. Default: one a processor. */
  concurrency?: number | undefined;
  /** PATH of everything that is started; nothing else of an environment is. Default: the usual folders. */
  searchPath?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((event: ConformanceEvent) => void) | undefined;
}

/** In no particular order, because checks run side by side; `planned` comes first. */
export type ConformanceEvent =
  | { type: 'planned'; checks: number }
  | { type: 'filesystem_missing'; filesystem: string; reason: string }
  | { type: 'started'; check: number; title: string }
  | { type: 'finished'; result: CheckResult };

export interface CheckFailure {
  /** What the program answered, else what it should have answered, else `E_CHECK_FAILED`. */
  class: string;
  message: string;
  /** Lines for a POSIX shell that do again what the check did. */
  reproduce: string[];
}

export interface CheckResult {
  /** 1 to 29. */
  check: number;
  title: string;
  expected: string;
  status: 'passed' | 'failed';
  duration_ms: number;
  error: CheckFailure | null;
}

export interface ConformanceReport {
  profile: Profile;
  /** The numbers of checks. */
  passed: number;
  failed: number;
  /** What else than the directory was used, as in `xfs`. */
  filesystems: string[];
  /** By number. */
  results: CheckResult[];
}

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Judges a program by the 29 checks of the format, from outside: its command line, and the files it leaves.
 * @throws ProgramUnusableError, UnknownCheckError, and the signal's reason when it is aborted
 */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { profile = 'dev', only, concurrency = availableParallelism(), signal, onProgress = () => {} } = options;
  const searchPath = options.searchPath ?? SEARCH_PATH;
  const bin = typeof options.bin === 'string' ? [options.bin] : options.bin;
  const checks = selected(only);
  const root = await realpath(await mkdtemp(join(options.directory ?? tmpdir(), 'jvs-conformance-')));
  let extra: ExtraFilesystem[] = [];
  try {
    await requireUsable(bin, { root, searchPath, signal });
    onProgress({ type: 'planned', checks: checks.length });
    if (profile === 'release' && checks.some(({ everywhere }) => everywhere)) {
      const tell = (filesystem: string, reason: string): void =>
        onProgress({ type: 'filesystem_missing', filesystem, reason });
      extra = await mountExtraFilesystems(root, searchPath, tell);
    }
    const results: CheckResult[] = [];
    const waiting = [...checks];
    const work = async (): Promise<void> => {
      for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
        signal?.throwIfAborted();
        onProgress({ type: 'started', check: check.number, title: check.title });
        const places = [{ name: '', dir: root }, ...(check.everywhere === true ? extra : [])];
        const result = await judge(check, places, (dir) => new CheckContext(dir, profile, { bin, searchPath, signal }));
        signal?.throwIfAborted();
        results.push(result);
        onProgress({ type: 'finished', result });
      }
    };
    await settled(Array.from({ length: Math.max(1, Math.min(concurrency, checks.length)) }, work));
    const failed = results.filter(({ status }) => status === 'failed').length;
    return {
      profile,
      passed: results.length - failed,
      failed,
      filesystems: extra.map(({ name }) => name),
      results: results.toSorted((a, b) => a.check - b.check),
    };
  } finally {
    for (const filesystem of extra) await filesystem.unmount().catch(() => undefined);
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

function selected(only: readonly number[] | undefined): readonly Check[] {
  if (only === undefined) return CHECKS;
  const numbers = new Set(only);
  for (const number of numbers) {
    if (!CHECKS.some((check) => check.number === number)) throw new UnknownCheckError(number);
  }
  return CHECKS.filter(({ number }) => numbers.has(number));
}

async function requireUsable(
  bin: readonly string[],
  { root, searchPath, signal }: { root: string; searchPath: string; signal: AbortSignal | undefined },
): Promise<void> {
  const env = { HOME: root, PATH: searchPath };
  const outcome = await startProgram([...bin, '--version'], { cwd: root, env, signal }).outcome;
  if (outcome.exitCode !== 0) throw new ProgramUnusableError(bin, shown(outcome));
}

/** Runs a check in each place until it fails. */
async function judge(
  { number, title, expected, run }: Check,
  places: readonly { name: string; dir: string }[],
  contextIn: (dir: string) => CheckContext,
): Promise<CheckResult> {
  const startedAt = performance.now();
  let error: CheckFailure | null = null;
  for (const { name, dir } of places) {
    const folder = join(dir, String(number).padStart(2, '0'));
    await mkdir(folder);
    const context = contextIn(folder);
    try {
      await run(context);
    } catch (cause) {
      error = failureOf(cause, name, context);
      break;
    } finally {
      context.killLeftovers();
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }
  const status = error === null ? 'passed' : 'failed';
  return { check: number, title, expected, status, duration_ms: Math.round(performance.now() - startedAt), error };
}

function failureOf(cause: unknown, filesystem: string, context: CheckContext): CheckFailure {
  const message = cause instanceof Error ? cause.message : String(cause);
  return {
    class: cause instanceof CodedError ? cause.code : 'E_CHECK_FAILED',
    message: filesystem === '' ? message : `On ${filesystem}: ${message}`,
    reproduce: context.reproduction(),
  };
}

/** Waits for all, also where one fails, and then fails with the first. */
async function settled(works: readonly Promise<void>[]): Promise<void> {
  const failures = (await Promise.allSettled(works)).filter((outcome) => outcome.status === 'rejected');
  if (failures[0] !== undefined) throw failures[0].reason;
}
