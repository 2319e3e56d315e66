import { Buffer } from 'node:buffer';
import { chmodSync } from 'node:fs';
import { bytesOf, type BytePath, fsPath, joinPath } from '@jvs/platform/byte-path';
import { hasCode } from '@jvs/platform/errors';
import { tryProgram } from '@jvs/platform/run-program';
import { entriesOf, type TreeScan } from '@jvs/platform/tree';
import type { CopyGroup } from './clone-plan.ts';
import { readComplaint } from './cp-complaints.ts';
import type { Degradation } from './snapshot-engine.ts';

export interface CopyTask {
  source: string;
  target: string;
  /** cp's `--reflink`: `auto` shares extents and copies the single files that refuse, `never` always copies. */
  reflink: 'auto' | 'never';
  scan: TreeScan;
  /** Grows by what the target turns out not to keep; later groups then do not even try. */
  lost: Set<Degradation>;
  signal: AbortSignal | undefined;
}

/**
 * Copies one group with GNU cp, which keeps modes, owners, times to the nanosecond, xattrs, ACLs and holes, and does so
 * at the speed of the kernel. Names come to it through xargs's standard input, because the argument vectors that Node
 * passes are UTF-8 and names need not be.
 */
export async function copyGroup(task: CopyTask, group: CopyGroup): Promise<void> {
  const { source, target, lost, signal } = task;
  const input = Buffer.concat([
    ...group.paths.map((path) => bytesOf(`./${path}\0`)),
    Buffer.from(fsPath(target, group.dir)),
    Buffer.from([0]),
  ]);
  const items = String(group.paths.length + 1);
  for (let again = false; ; again = true) {
    const before = lost.size;
    // With -n and -x xargs starts cp once with all the names, or not at all.
    const args = ['-0', '-x', '-n', items, 'cp', ...cpOptions(task, again), '--'];
    const { status, killedBy, complaints } = await tryProgram('xargs', args, { cwd: source, input, signal });
    if (status === 0) break;
    const failure = judge(complaints, lost);
    if (failure !== undefined) throw failure;
    if (killedBy !== null || complaints.length === 0)
      throw new Error(`cp ended with ${killedBy ?? `status ${status}`}`);
    // cp gives a directory up at the first thing it cannot keep, and its mode with it: again, without that thing.
    if (lost.size === before) break;
  }
  if (lost.has('acl')) restoreModes(task, group.dir, new Set(group.paths));
}

function cpOptions({ reflink, lost }: CopyTask, again: boolean): string[] {
  const dropped = ['links'];
  if (lost.has('acl')) dropped.push('mode');
  if (lost.has('owner')) dropped.push('ownership');
  if (lost.has('mtime')) dropped.push('timestamps');
  // Archive mode keeps those extended attributes that can be kept and is silent about the rest.
  const kept = lost.has('xattr') ? ['-a'] : ['-dR', '--preserve=mode,ownership,timestamps,xattr'];
  const replace = again ? ['--remove-destination'] : [];
  return [...kept, `--no-preserve=${dropped.join(',')}`, `--reflink=${reflink}`, ...replace];
}

function judge(complaints: readonly string[], lost: Set<Degradation>): Error | undefined {
  for (const line of complaints) {
    const complaint = readComplaint(line);
    if (complaint.kind === 'failed') return complaint.error;
    if (complaint.kind === 'lost') lost.add(complaint.what);
  }
  return undefined;
}

/** Where ACLs cannot be kept, cp keeps no mode either. */
function restoreModes(task: CopyTask, dir: BytePath, taken?: ReadonlySet<BytePath>): void {
  for (const { name, kind, metadata } of entriesOf(task.scan, dir)) {
    const path = joinPath(dir, name);
    if (kind === 'symlink' || kind === 'special' || taken?.has(path) === false) continue;
    if (kind === 'dir') restoreModes(task, path);
    try {
      chmodSync(fsPath(task.target, path), Number(metadata.split(' ')[0]) & 0o7777);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
}
