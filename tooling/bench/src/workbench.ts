import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { canMount, hasProgram, mountFilesystem } from '@jvs/services';
import { run, type Command } from './run.ts';

const JVS = fileURLToPath(new URL('../../../apps/jvs/dist/main.js', import.meta.url));
const SYSTEM_FOLDERS = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Programs that not every machine has; their packages have the same names. */
const PEERS = ['restic', 'strace'];

/** Where everything that is measured lies: one folder on one filesystem. */
export interface Workbench {
  readonly dir: string;
  /** What it is, for the reader of the table. */
  readonly filesystem: string;
  readonly remove: () => Promise<void>;
}

/** A new workbench below `dir` or, without one, on an XFS with reflinks in a file, which takes root. */
export async function openWorkbench(dir: string | undefined, files: number): Promise<Workbench> {
  if (!existsSync(JVS)) throw new Error('The jvs CLI has not been built; run `npm run build` first');
  const missing = PEERS.filter((program) => !hasProgram(program));
  if (missing.length > 0) throw new Error(`These Debian packages are missing: ${missing.join(' ')}`);
  if (dir === undefined && !canMount('xfs')) throw new Error('Mounting an XFS takes root and xfsprogs; or give --dir');
  const workbench = dir === undefined ? await onOwnXfs(files) : await below(dir);
  await mkdir(join(workbench.dir, 'home'));
  return workbench;
}

/** A program in an environment with nothing in it but paths. */
export function command({ dir }: Workbench, program: string, args: readonly string[], cwd = dir): Command {
  const env = { PATH: SYSTEM_FOLDERS, TZ: 'UTC', LC_ALL: 'C', HOME: join(dir, 'home'), TMPDIR: dir };
  return { program, args, cwd, env };
}

/** The built jvs, by the Node that runs us or by `node`. */
export function jvs(bench: Workbench, cwd: string, args: readonly string[], node = process.execPath): Command {
  return command(bench, node, [JVS, ...args], cwd);
}

/** As one would type it in the workbench's folder. */
export function describeCommand({ dir }: Workbench, ...commands: readonly Command[]): string {
  const line = ({ program, args }: Command): string =>
    [program, ...args]
      .join(' ')
      .replaceAll(`${dir}/`, '')
      .replaceAll(`${process.execPath} ${JVS}`, 'jvs')
      .replaceAll(process.execPath, 'node');
  return commands.map(line).join(' && ');
}

/** Removes what a round made, outside of what is timed. */
export async function discard(...paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { recursive: true, force: true });
}

/** Lets the disk come to rest, so that a measurement does not pay for what came before it. */
export async function settle(bench: Workbench): Promise<void> {
  await run(command(bench, 'sync', []));
}

async function onOwnXfs(files: number): Promise<Workbench> {
  // For each file room for its data three times (the tree, a copy that shares nothing, restic) and a dozen inodes.
  const sizeMiB = Math.max(1024, Math.ceil((files * 80) / 1024));
  const mounted = await mountFilesystem('xfs', { sizeMiB });
  const filesystem = `XFS, reflink=1, ${sizeMiB} MiB, in a file by loop device`;
  return { dir: mounted.dir, filesystem, remove: async () => mounted.unmount() };
}

async function below(parent: string): Promise<Workbench> {
  const dir = await mkdtemp(join(parent, 'jvs-bench-'));
  return { dir, filesystem: 'a directory that was given', remove: async () => discard(dir) };
}
