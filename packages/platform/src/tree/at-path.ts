import { type BytePath, displayPath, fsPath } from '../byte-path.ts';
import { errnoError, hasCode } from '../errors.ts';

/** Does one system call on `root/path`; undefined when there is nothing (any more), other errors name the path. */
export function atPath<T>(root: string, path: BytePath, call: (target: string | Buffer) => T): T | undefined {
  try {
    return call(fsPath(root, path));
  } catch (error) {
    // ELOOP is O_NOFOLLOW's answer to a file that has become a symlink, ENOTDIR that of a directory that is none now.
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) throw error;
    const where = path === '' ? root : `${root}/${displayPath(path)}`;
    throw errnoError(String(error.code), String(error.syscall), where);
  }
}
