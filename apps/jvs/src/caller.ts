import { hostname, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { createLogger, UsageError } from '@jvs/cli-kit';
import type { Caller, Repository, Worktree } from '@jvs/core-repo';
import { hasCode } from '@jvs/platform/errors';
import { workingDirectory } from './working-directory.ts';

export interface CallerFlags {
  /** Overrides `JVS_SESSION`. */
  session?: string | undefined;
}

/** Who runs this process, from its environment. @throws UsageError for values that cannot be meant */
export function currentCaller({ session }: CallerFlags = {}): Caller {
  const user = userName();
  const host = hostname();
  const sessionId = session ?? nonEmpty(process.env['JVS_SESSION']) ?? `${user}@${host}`;
  if (!/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,256}$/u.test(sessionId)) {
    throw new UsageError('A session id is 1 to 256 characters without control characters');
  }
  const startTime = Math.floor(Date.now() / 1000 - process.uptime());
  return {
    actor: `${host}:${user}:${process.pid}:${startTime}`,
    sessionId,
    stateHome: stateHome(),
    fencingToken: fencingToken(),
  };
}

export async function currentRepository({ debug, ...flags }: CallerFlags & { debug: boolean }): Promise<Repository> {
  const caller = currentCaller(flags);
  const { openRepository } = await import('@jvs/core-repo/repository');
  // A command that takes no snapshot does not use it, but a wrong value is never what somebody meant.
  const engine = requestedEngine(undefined);
  if (engine !== undefined) (await import('@jvs/core-repo')).checkEngineName(engine);
  return await openRepository(await workingDirectory(), caller, { log: await createLogger({ debug }) });
}

/** The worktree that was named on the line or in `JVS_WORKTREE`, or else the one that the working directory is in. */
export async function currentWorktree(
  flags: CallerFlags & { debug: boolean; worktree?: string | undefined },
): Promise<Worktree> {
  return await worktreeIn(await currentRepository(flags), flags.worktree);
}

/**
 * The id of the snapshot that a word of the line means. `HEAD` is that of `w`, or else of the current worktree, which
 * other expressions do not need.
 */
export async function namedSnapshot(r: Repository, expression: string, w?: Worktree): Promise<string> {
  const { resolveSnapshot } = await import('@jvs/core-repo');
  const isRelative = /^HEAD(?:~|$)/.test(expression);
  return await resolveSnapshot(r, expression, w ?? (isRelative ? await surroundingWorktree(r) : undefined));
}

async function surroundingWorktree(r: Repository): Promise<Worktree | undefined> {
  try {
    return await worktreeIn(r, undefined);
  } catch (error) {
    if (!hasCode(error, 'E_NOT_IN_WORKTREE')) throw error;
    return undefined;
  }
}

async function worktreeIn(r: Repository, named: string | undefined): Promise<Worktree> {
  const { findWorktree, openWorktree } = await import('@jvs/core-repo');
  const name = named ?? nonEmpty(process.env['JVS_WORKTREE']);
  return name === undefined ? await findWorktree(r, await workingDirectory()) : await openWorktree(r, name);
}

/** The engine that the environment asks for. */
export function requestedEngine(flag: string | undefined): string | undefined {
  return flag ?? nonEmpty(process.env['JVS_SNAPSHOT_ENGINE']);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

function stateHome(): string | undefined {
  const chosen = nonEmpty(process.env['XDG_STATE_HOME']);
  if (chosen !== undefined && isAbsolute(chosen)) return chosen;
  const home = nonEmpty(process.env['HOME']);
  return home === undefined ? undefined : join(home, '.local', 'state');
}

function fencingToken(): number | undefined {
  const text = nonEmpty(process.env['JVS_FENCING_TOKEN']);
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`JVS_FENCING_TOKEN is no fencing token: "${text}"`);
  return Number(text);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text;
}
