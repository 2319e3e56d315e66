import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir, rename, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { isThereNow, renameDirectory, syncDirectory } from '@jvs/platform/durable-fs';
import { hasCode } from '@jvs/platform/errors';
import { failpoint } from '@jvs/platform/failpoint';
import { listDirectory } from '../list-directory.ts';
import type { Repository } from '../repository.ts';

/** What another took over: whoever still moves something here has come too late, and the log tells what became of it. */
export class SupersededError extends Error {
  constructor() {
    super('Another process has taken the operation over');
  }
}

/**
 * Every move of an operation has its source or its target in the operation's own directory and goes by path. So whoever
 * renames that directory stops all who came before: their moves fail with ENOENT.
 */
export async function makeOpDirectory(r: Repository, opId: string): Promise<string> {
  const directory = r.layout.opDirectory(opId);
  await mkdir(directory).catch((error: unknown) => {
    // Its id is our own: an earlier try got so far.
    if (!hasCode(error, 'EEXIST')) throw error;
  });
  await syncDirectory(r.layout.tmp);
  return directory;
}

/** Puts the metadata that a worktree has under `name` into the op directory a second time, for its next name. */
export async function copyMetadata({ layout }: Repository, name: string, op: string): Promise<void> {
  await mkdir(join(op, 'meta'));
  await copyFile(layout.worktreeConfig(name), join(op, 'meta', 'config.json'));
}

const HOUR_MS = 3_600_000;

/** Shows hourly that the directory is in use, while `work` fills it: what is a day old counts as left behind. */
export async function keepingFresh<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(directory, now, now).catch(() => {});
  }, HOUR_MS);
  timer.unref();
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Where the operation's directory is now: under its first name, or the one of its latest claim. */
export async function findOpDirectory(r: Repository, opId: string): Promise<string | undefined> {
  const first = `op-${opId}`;
  const names = (await listDirectory(r.layout.tmp)).filter((name) => name === first || name.startsWith(`${first}.`));
  const latest = names.sort((a, b) => claimNumber(a) - claimNumber(b)).at(-1);
  return latest === undefined ? undefined : join(r.layout.tmp, latest);
}

/** Takes the operation over from its author and from earlier settlers; undefined when another was faster. */
export async function claimOpDirectory(r: Repository, opId: string, current: string): Promise<string | undefined> {
  const claimed = `${r.layout.opDirectory(opId)}.${claimNumber(current) + 1}`;
  try {
    await rename(current, claimed);
    return claimed;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Whether the directory has been taken over from the operation's author. */
export function isClaimed(path: string): boolean {
  return claimNumber(path) > 0;
}

function claimNumber(name: string): number {
  return Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
}

/** What lies in an operation's directory. @throws SupersededError when it is gone, which is not the same as empty */
export async function contentsOf(op: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(op));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new SupersededError();
    throw error;
  }
}

/**
 * One move of an operation, durable when this returns; `from` or `to` lies in its directory `op`. Judged by what is there
 * afterwards: a network filesystem may answer with an error to a rename that it has made.
 * @throws SupersededError when the directory has been claimed by another
 */
export async function move(op: string, from: string, to: string): Promise<void> {
  try {
    await renameDirectory(from, to);
  } catch (error) {
    if (!(await isThereNow(op))) throw new SupersededError();
    if ((await isThereNow(from)) || !(await isThereNow(to))) throw error;
  }
  try {
    await syncDirectory(join(from, '..'));
    await syncDirectory(join(to, '..'));
  } catch (error) {
    // Claimed right after the move: then the claimer goes on from there.
    throw hasCode(error, 'ENOENT') ? new SupersededError() : error;
  }
}

/**
 * Moves a tree from the op directory to a payload's place. What a program made there in between is moved aside into the
 * op directory as `intruder-<uuid>`, never deleted. @throws SupersededError when the directory has been claimed by another
 */
export async function moveIntoPlace(op: string, name: string, target: string): Promise<void> {
  await mkdir(join(target, '..'), { recursive: true });
  for (;;) {
    try {
      await move(op, join(op, name), target);
      return;
    } catch (error) {
      if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw error;
      await moveAside(op, target);
    }
  }
}

async function moveAside(op: string, target: string): Promise<void> {
  try {
    await move(op, target, join(op, `intruder-${randomUUID()}`));
    failpoint('settle:intruder');
  } catch (error) {
    // It has gone away by itself.
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
