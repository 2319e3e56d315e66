import { chmod, lstat, utimes } from 'node:fs/promises';

/**
 * Lets `work` change the entries of a directory, and gives it back the mode and times that it had: payload roots may be
 * read-only, and their times are the user's.
 */
export async function keepingDirectory<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const { mode, atime, mtime } = await lstat(directory);
  const isClosed = (mode & 0o300) !== 0o300;
  if (isClosed) await chmod(directory, (mode & 0o7777) | 0o700);
  const result = await work();
  if (isClosed) await chmod(directory, mode & 0o7777);
  await utimes(directory, atime, mtime);
  return result;
}
