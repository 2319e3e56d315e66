import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, link, lstat, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoIn } from './errno-text.ts';
import { errnoError, hasCode } from './errors.ts';
import { type FilesystemKind, filesystemKind } from './filesystem.ts';
import { runProgram, tryProgram } from './run-program.ts';

/**
 * Creates the file `path` with all of `data` or not at all; the filesystem picks one winner among many.
 * Writes and syncs a file in `tempDirectory` (same filesystem), links it to `path` and syncs the folder: link(2) never
 * overwrites. After a crash a reader finds no file or the whole one, and perhaps a temporary that nobody reads.
 * @throws Node's `EEXIST` when `path` is there already.
 */
export async function writeOnce(path: string, data: string | Uint8Array, tempDirectory: string): Promise<void> {
  await linkOnce(path, data, tempDirectory, true);
  await syncDirectory(dirname(path));
}

/** As {@link writeOnce}, without syncing anything: for files that a later `syncTree` makes durable. */
export async function writeOnceUnsynced(path: string, data: string | Uint8Array, tempDirectory: string): Promise<void> {
  await linkOnce(path, data, tempDirectory, false);
}

async function linkOnce(path: string, data: string | Uint8Array, tempDirectory: string, sync: boolean): Promise<void> {
  const temp = join(tempDirectory, randomUUID());
  try {
    await writeNew(temp, data, sync);
    await link(temp, path).catch(async (error: unknown) => {
      // A server may answer EEXIST to the retransmission of a link that it had made; link(2) advises to look.
      if (!hasCode(error, 'EEXIST') || !(await isSameFile(temp, path))) throw error;
    });
  } finally {
    await unlinkIfThere(temp);
  }
}

async function isSameFile(path: string, other: string): Promise<boolean> {
  const [one, two] = await Promise.all([stat(path, { bigint: true }), lstat(other, { bigint: true })]);
  return one.dev === two.dev && one.ino === two.ino;
}

/**
 * Replaces the file at `path`: after a crash at any moment a reader finds the old bytes or all of the new ones.
 * POSIX rename(2) is atomic within one filesystem, so `tempDirectory` lies on the same one.
 */
export async function replaceFile(
  path: string,
  data: string | Uint8Array,
  tempDirectory: string,
  mode = 0o666,
): Promise<void> {
  const temp = join(tempDirectory, randomUUID());
  try {
    await writeNew(temp, data, true, mode);
    await rename(temp, path);
  } catch (error) {
    await unlinkIfThere(temp);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Writes a file that must not exist yet. With `sync`, its bytes are durable when this returns (its name is not). */
export async function writeNew(path: string, data: string | Uint8Array, sync: boolean, mode = 0o666): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(data);
    if (sync) await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes links, renames and removals in the folder durable. Filesystems that cannot sync folders order them themselves. */
export async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } catch (error) {
    if (!hasCode(error, 'EINVAL', 'ENOSYS', 'EISDIR')) throw error;
  } finally {
    await folder.close();
  }
}

/**
 * Makes everything below `path` durable: one syncfs(2) for its filesystem, or, where that is not honoured (FUSE), an
 * fsync for each file and folder, children first.
 */
export async function syncTree(
  path: string,
  signal?: AbortSignal,
  kindOf: (path: string) => Promise<Pick<FilesystemKind, 'honoursSyncfs'>> = filesystemKind,
): Promise<void> {
  const { honoursSyncfs } = await kindOf(path);
  if (honoursSyncfs) await runProgram('sync', ['-f', path], { signal });
  else await syncEach(Buffer.from(path), signal);
}

async function syncEach(path: Buffer, signal: AbortSignal | undefined): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true, encoding: 'buffer' })) {
    signal?.throwIfAborted();
    const child = Buffer.concat([path, Buffer.from('/'), entry.name as unknown as Buffer]);
    if (entry.isDirectory()) await syncEach(child, signal);
    else if (entry.isFile()) await syncFile(child);
  }
  await syncFile(path);
}

async function syncFile(path: Buffer): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    await file.sync();
  } catch (error) {
    if (!hasCode(error, 'EINVAL', 'ENOSYS')) throw error;
  } finally {
    await file.close();
  }
}

/**
 * Removes a tree, or does nothing if it is absent. It is renamed into `trash` (same filesystem) first, so that from the
 * first moment nobody finds half of it under its name.
 */
export async function removeTree(path: string, trash: string): Promise<void> {
  const gone = join(trash, randomUUID());
  try {
    await renameDirectory(path, gone);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  await deleteTree(gone);
}

/**
 * Renames a directory into another one. That changes its `..`, for which its owner must be allowed to write to it, so a
 * read-only one is opened for the moment.
 */
export async function renameDirectory(from: string, to: string): Promise<void> {
  const { mode } = await lstat(from);
  const isClosed = (mode & 0o170200) === 0o040000;
  if (isClosed) await chmod(from, (mode & 0o7777) | 0o200);
  try {
    await rename(from, to);
  } catch (error) {
    if (isClosed) await chmod(from, mode & 0o7777).catch(() => {});
    throw error;
  }
  if (isClosed) await chmod(to, mode & 0o7777);
}

/** Deletes a tree in place. For what has no name that anyone reads. */
export async function deleteTree(path: string): Promise<void> {
  await deleteTrees([path]);
}

/**
 * Deletes entries with everything below them; what is absent is fine. coreutils `rm` copes with any name and depth.
 * Folders that are closed to their owner are opened, but no file is: its mode belongs to all of its names, and the other
 * ones may lie outside. `paths` are absolute.
 */
export async function deleteTrees(paths: readonly (string | Buffer)[], signal?: AbortSignal): Promise<void> {
  if (paths.length === 0) return;
  const input = Buffer.concat(paths.flatMap((path) => [Buffer.from(path), Buffer.from([0])]));
  const remove = async (): Promise<Error | undefined> => {
    const { status, complaints } = await tryProgram('xargs', ['-0', 'rm', '-rf', '--'], { input, signal });
    if (status === 0) return undefined;
    const complaint = complaints[0] ?? `rm ended with status ${status}`;
    return errnoError(errnoIn(complaint) ?? 'EIO', complaint.replace(/^rm: /, ''));
  };
  let failure = await remove();
  if (hasCode(failure, 'EACCES', 'EPERM')) {
    // find visits a folder before it reads it, so that what was closed is open by then. What fails here, rm says again.
    const open = ['find', '%', '-type', 'd', '!', '-perm', '-700', '-exec', 'chmod', 'u+rwx', '{}', ';'];
    await tryProgram('xargs', ['-0', '-I', '%', ...open], { input, signal });
    failure = await remove();
  }
  if (failure !== undefined) throw failure;
}

export async function unlinkIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Whether something has this name, a dangling symlink included. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/**
 * The same, asked of the filesystem itself: clients of a network filesystem answer {@link isThere} from memory, for a
 * second where another host has renamed a directory. What is about to make a name is never answered from memory, and a
 * directory has no second name: the attempt to make one changes nothing.
 */
export async function isThereNow(path: string): Promise<boolean> {
  try {
    // With the dot it is the directory, even where its name is a symlink.
    await link(`${dirname(path)}/.`, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return true;
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    // NFS asks nobody before it makes a name; but then it has forgotten what it knew, and asks now.
    if (hasCode(error, 'EPERM', 'EACCES', 'EROFS', 'EXDEV')) return await isThere(path);
    throw error;
  }
}
