import { lstat, realpath } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { CodedError, hasCode } from './errors.ts';

/** A path that leaves its root, by `..`, an absolute part, or a symlink. */
export class PathEscapeError extends CodedError {
  readonly code = 'E_PATH_ESCAPE';
  constructor(path: string, root: string) {
    super(`The path "${path}" leaves "${root}"`, { details: { path, root } });
  }
}

/** `path` relative to `root` when it lies below it (or is it: `''`), by text only; else undefined. */
export function relativeInside(root: string, path: string): string | undefined {
  const below = relative(root, path);
  return below === '..' || below.startsWith(`..${sep}`) || resolve(root, below) !== resolve(path) ? undefined : below;
}

/**
 * Resolves `path` against `root` and refuses whatever lies outside, through a symlink in the middle too. The last
 * component may be absent or a link itself: it is never followed.
 * @throws PathEscapeError
 */
export async function containedPath(root: string, path: string): Promise<string> {
  const absolute = resolve(root, path);
  if (relativeInside(root, absolute) === undefined) throw new PathEscapeError(path, root);
  const realRoot = await realpath(root);
  const real = await realpathOfExisting(relativeInside(root, absolute) === '' ? absolute : dirname(absolute));
  if (relativeInside(realRoot, real) === undefined) throw new PathEscapeError(path, root);
  return absolute;
}

/** Of the path, or of the nearest directory above it that is there. A link that leads nowhere is there. */
async function realpathOfExisting(path: string): Promise<string> {
  for (let existing = path; ; existing = dirname(existing)) {
    try {
      return await realpath(existing);
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || existing === dirname(existing) || (await isLink(existing))) throw error;
    }
  }
}

async function isLink(path: string): Promise<boolean> {
  return await lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}

/** As {@link containedPath}, for a directory that is entered: if it is there, it is no symlink. @throws PathEscapeError */
export async function containedDirectory(root: string, path: string): Promise<string> {
  const absolute = await containedPath(root, path);
  try {
    if ((await lstat(absolute)).isSymbolicLink()) throw new PathEscapeError(path, root);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  return absolute;
}
