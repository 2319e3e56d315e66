import { hostname, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { UsageError, openLog } from '@jvs/cli-kit';
import {
  findWorktree,
  openRepository,
  openWorktree,
  type Caller,
  type Repository,
  type Worktree,
} from '@jvs/core-repo';

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
  return await openRepository(currentDirectory(), currentCaller(flags), { log: await openLog({ debug }) });
}

/** The worktree that was named, or the one that the working directory is in. */
export async function currentWorktree(
  flags: CallerFlags & { debug: boolean; worktree?: string | undefined },
): Promise<Worktree> {
  const r = await currentRepository(flags);
  const name = flags.worktree ?? nonEmpty(process.env['JVS_WORKTREE']);
  return name === undefined ? await findWorktree(r, currentDirectory()) : await openWorktree(r, name);
}

/** The worktree that the working directory is in, if it is in one. */
export async function surroundingWorktree(r: Repository): Promise<Worktree | undefined> {
  return await findWorktree(r, currentDirectory()).catch(() => undefined);
}

function currentDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    throw new UsageError('The working directory no longer exists', {
      cause: error,
      hint: 'Go to another one: cd "$PWD"',
    });
  }
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
