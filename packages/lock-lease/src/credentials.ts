import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { prettyJson } from '@jvs/platform/canonical-json';
import { sha256 } from '@jvs/platform/digest';
import { syncDirectory, unlinkIfThere, writeNew } from '@jvs/platform/durable-fs';
import { CodedError, hasCode } from '@jvs/platform/errors';
import type { LockState } from './lock-state.ts';
import type { LockSite } from './worktree-state.ts';

/** What the holder of a lock knows and the repository does not: `<state home>/jvs/<repo_id>/<lock_id>.json`, mode 0600. */
const Credentials = z.looseObject({
  nonce: z.string(),
  session_id: z.string(),
  worktree_id: z.string(),
  fencing_token: z.int(),
});
type Credentials = z.infer<typeof Credentials>;

/** The user's state directory is missing or cannot be written, so no lock can be held. */
export class StateHomeError extends CodedError {
  readonly code = 'E_IO';
  constructor(directory: string | undefined, cause?: unknown) {
    const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'ENOENT';
    super(
      directory === undefined
        ? 'There is no state directory'
        : `The state directory "${directory}" cannot be used (${errno})`,
      {
        cause,
        hint: 'Set XDG_STATE_HOME to a directory that you can write to.',
        details: { errno, path: directory ?? null },
      },
    );
  }
}

export function newNonce(): { nonce: string; hash: string } {
  const nonce = randomBytes(16).toString('hex');
  return { nonce, hash: sha256(nonce) };
}

/** The directory for secrets and observations, made if need be (0700). @throws StateHomeError */
export async function stateDirectory(site: Pick<LockSite, 'credentialsDirectory'>): Promise<string> {
  const directory = site.credentialsDirectory;
  if (directory === undefined) throw new StateHomeError(undefined);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
  } catch (error) {
    throw new StateHomeError(directory, error);
  }
  return directory;
}

/** Durable when it returns. @throws StateHomeError */
export async function writeCredentials(
  site: LockSite,
  lockId: string,
  nonce: string,
  fencingToken: number,
): Promise<void> {
  const directory = await stateDirectory(site);
  const text = prettyJson({
    nonce,
    session_id: site.caller.sessionId,
    worktree_id: site.worktreeId,
    fencing_token: fencingToken,
  });
  try {
    await writeNew(join(directory, `${lockId}.json`), text, true, 0o600);
    await syncDirectory(directory);
  } catch (error) {
    throw new StateHomeError(directory, error);
  }
}

/** Whether the caller holds `lock`: knows its secret, and acts in its session. */
export async function isHolder(site: LockSite, lock: LockState): Promise<boolean> {
  if (site.credentialsDirectory === undefined || site.caller.sessionId !== lock.session_id) return false;
  const credentials = await readCredentials(join(site.credentialsDirectory, `${lock.lock_id}.json`));
  return credentials?.session_id === lock.session_id && sha256(credentials.nonce) === lock.holder_nonce_hash;
}

/** Best effort: the lock is given back already, whatever becomes of a secret that opens nothing any more. */
export async function removeCredentials(site: LockSite, lockId: string): Promise<void> {
  const { credentialsDirectory: directory } = site;
  if (directory === undefined) return;
  await tryToTidy(async () => void (await unlinkIfThere(join(directory, `${lockId}.json`))));
}

/**
 * Deletes secrets of earlier locks of the worktree. One with a later token belongs to an acquire that is under way. Best
 * effort: the lock is taken already, and the next acquire tries again.
 */
export async function removeSuperseded(site: LockSite, current: LockState): Promise<void> {
  const { credentialsDirectory: directory } = site;
  if (directory === undefined) return;
  await tryToTidy(async () => {
    for (const file of await readdir(directory)) {
      if (!/^[0-9a-f-]{36}\.json$/.test(file) || file === `${current.lock_id}.json`) continue;
      const credentials = await readCredentials(join(directory, file));
      if (credentials?.worktree_id === site.worktreeId && credentials.fencing_token <= current.fencing_token) {
        await unlinkIfThere(join(directory, file));
      }
    }
  });
}

/** Lets no failed system call turn a success into a failure. */
async function tryToTidy(tidy: () => Promise<void>): Promise<void> {
  try {
    await tidy();
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
  }
}

async function readCredentials(path: string): Promise<Credentials | undefined> {
  try {
    return Credentials.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
