import { Buffer } from 'node:buffer';
import { bytesOf, type BytePath } from '@jvs/platform/byte-path';
import { errnoError } from '@jvs/platform/errors';
import { errnoIn } from '@jvs/platform/run-program';
import { runTool } from './run-tool.ts';

/** Removes entries with all below them, read-only directories too; what is absent is fine. */
export async function removePaths(root: string, paths: readonly BytePath[], signal?: AbortSignal): Promise<void> {
  if (paths.length === 0) return;
  const input = Buffer.concat(paths.map((path) => bytesOf(`./${path}\0`)));
  const options = { cwd: root, input, signal };
  const first = await runTool(['xargs', '-0', 'rm', '-rf', '--'], options);
  if (first.status === 0) return;
  // Directories without write permission stop everyone but root.
  await runTool(['xargs', '-0', 'chmod', '-fR', 'u+rwX', '--'], options);
  const { status, complaints } = await runTool(['xargs', '-0', 'rm', '-rf', '--'], options);
  if (status === 0) return;
  const complaint = complaints[0] ?? `rm ended with status ${status}`;
  throw errnoError(errnoIn(complaint) ?? 'EIO', complaint.replace(/^rm: /, ''));
}
