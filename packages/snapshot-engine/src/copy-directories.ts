import { Buffer } from 'node:buffer';
import { bytesOf, type BytePath } from '@jvs/platform/byte-path';
import { errnoIn } from '@jvs/platform/run-program';
import { errnoError } from '@jvs/platform/errors';
import { pipeTools } from './run-tool.ts';
import type { Degradation } from './snapshot-engine.ts';

export interface DirectoriesTask {
  source: string;
  target: string;
  lost: Set<Degradation>;
  signal: AbortSignal | undefined;
}

const LOSSES: readonly (readonly [RegExp, Degradation])[] = [
  [/xattr|\bsetfilecon/i, 'xattr'],
  [/acl/i, 'acl'],
  [/Cannot change ownership/, 'owner'],
  [/Cannot change mode/, 'mode'],
  [/Cannot utime/, 'mtime'],
];
const GONE =
  /Cannot (?:stat|open): No such file or directory|File removed before we read it|Exiting with failure|file changed as we read it/;

/**
 * Gives directories of the target the mode, owner, times, xattrs and ACLs that they have in the source: an archive of
 * the directories alone, unpacked over those that exist. tar puts modes and times on last, children before parents.
 */
export async function copyDirectories(task: DirectoriesTask, dirs: readonly BytePath[]): Promise<void> {
  if (dirs.length === 0) return;
  const { source, target, lost, signal } = task;
  const input = Buffer.concat(dirs.map((dir) => bytesOf(`./${dir}\0`)));
  const metadata = ['--xattrs', '--acls', '--numeric-owner'];
  const results = await pipeTools(
    ['tar', '-c', '--format=posix', '--no-recursion', '--null', '--verbatim-files-from', '-T', '-', ...metadata],
    ['tar', '-x', '-p', ...metadata, '--xattrs-include=*'],
    { cwd: source, toCwd: target, input, signal },
  );
  for (const { status, killedBy, complaints } of results) {
    for (const line of complaints) {
      if (GONE.test(line)) continue;
      const loss = LOSSES.find(([pattern]) => pattern.test(line));
      if (loss === undefined) throw errnoError(errnoIn(line) ?? 'EIO', line.replace(/^tar: /, ''));
      lost.add(loss[1]);
    }
    if (killedBy !== null || (status !== 0 && complaints.length === 0)) {
      throw new Error(`tar ended with ${killedBy ?? `status ${status}`}`);
    }
  }
}
