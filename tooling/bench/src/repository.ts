import { join } from 'node:path';
import { run } from './run.ts';
import { command, jvs, type Workbench } from './workbench.ts';

/** A jvs repository whose worktree `main` holds a copy of a tree. We hold its lock. */
export interface TestRepository {
  root: string;
  main: string;
}

/** A repository that imported `source`: its files share their blocks with those. */
export async function importRepository(bench: Workbench, source: string): Promise<TestRepository> {
  return initRepository(bench, ['--import', source]);
}

/** A repository in whose `main` `source` was copied, so that its files have their own blocks, as written ones have. */
export async function fillRepository(bench: Workbench, source: string): Promise<TestRepository> {
  const repository = await initRepository(bench, []);
  await run(command(bench, 'cp', ['-a', '--reflink=never', `${source}/.`, repository.main]));
  return repository;
}

/** Takes a snapshot of `main`; returns its id. */
export async function takeSnapshot(bench: Workbench, { main }: TestRepository): Promise<string> {
  const { stdout } = await run(jvs(bench, main, ['snapshot', '--json']));
  const { snapshot_id: id } = JSON.parse(stdout) as { snapshot_id: string };
  return id;
}

export function snapshotTree({ root }: TestRepository, id: string): string {
  return join(root, '.jvs', 'snapshots', id);
}

/** Where `jvs restore --name <name>` puts the tree. */
export function restoredTree({ root }: TestRepository, name: string): string {
  return join(root, 'worktrees', name);
}

async function initRepository(bench: Workbench, options: readonly string[]): Promise<TestRepository> {
  const root = join(bench.dir, 'repo');
  const main = join(root, 'main');
  await run(jvs(bench, bench.dir, ['init', 'repo', ...options]));
  await run(jvs(bench, main, ['lock', 'acquire', '--purpose', 'benchmark']));
  return { root, main };
}
