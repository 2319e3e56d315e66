import { Buffer } from 'node:buffer';
import { lstatSync } from 'node:fs';
import { bytesOf, type BytePath, fsPath } from '@jvs/platform/byte-path';
import { hasCode } from '@jvs/platform/errors';
import { pipePrograms } from '@jvs/platform/run-program';
import type { Degradation } from './snapshot-engine.ts';
import { readTarComplaint } from './tar-complaints.ts';

export interface DirectoriesTask {
  source: string;
  target: string;
  lost: Set<Degradation>;
  signal: AbortSignal | undefined;
}

/**
 * Gives directories of the target the mode, owner, times, xattrs and ACLs that they have in the source: an archive of
 * the directories alone, unpacked over those that exist. tar puts modes and times on last, children before parents.
 */
export async function copyDirectories(task: DirectoriesTask, dirs: readonly BytePath[]): Promise<void> {
  const { source, target, lost, signal } = task;
  // What has become something else is of no use: tar would archive a whole file, or put a symlink over what is empty.
  const present = dirs.filter((dir) => isDirectory(fsPath(source, dir)));
  if (present.length === 0) return;
  const input = Buffer.concat(present.map((dir) => bytesOf(`./${dir}\0`)));
  // A clock that is behind the server's is no reason to complain.
  const metadata = ['--xattrs', '--acls', '--numeric-owner', '--warning=no-timestamp'];
  const results = await pipePrograms(
    ['tar', '-c', '--format=posix', '--no-recursion', '--null', '--verbatim-files-from', '-T', '-', ...metadata],
    ['tar', '-x', '-p', ...metadata, '--xattrs-include=*'],
    { cwd: source, toCwd: target, input, signal },
  );
  for (const { status, killedBy, complaints } of results) {
    for (const line of complaints) {
      const complaint = readTarComplaint(line);
      if (complaint.kind === 'lost') lost.add(complaint.what);
      // A remark that changes nothing about the status is no failure.
      const isRemark = status === 0 && !line.includes(': Cannot ');
      if (complaint.kind === 'failed' && !isRemark) throw complaint.error;
    }
    if (killedBy !== null || (status !== 0 && complaints.length === 0)) {
      throw new Error(`tar ended with ${killedBy ?? `status ${status}`}`);
    }
  }
}

function isDirectory(path: string | Buffer): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  }
}
