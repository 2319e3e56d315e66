import type { CheckContext } from './check-context.ts';
import { namesIn, repositoryAt, type RepositoryFiles } from './repository-files.ts';

/** What belongs to this machine and this moment, or can be made again: it does not travel. */
const STAYS = ['intents', 'locks', 'tmp', 'reserve', 'cache'];

/** Copies a repository as the format says that backups and migrations do: without runtime state. */
export async function copyRepository(
  c: CheckContext,
  { root, control }: RepositoryFiles,
  target: string,
  program: 'cp' | 'rsync',
): Promise<RepositoryFiles> {
  const copy = repositoryAt(target);
  if (program === 'rsync') {
    const excluded = [...STAYS, 'snapshots/*.tmp', '*.lock', 'index.*'].map((name) => `--exclude=/.jvs/${name}`);
    await c.run('rsync', '-a', ...excluded, `${root}/`, `${target}/`);
    return copy;
  }
  await c.run('cp', '-a', root, target);
  const unfinished = namesIn(`${control}/snapshots`).filter((name) => name.endsWith('.tmp'));
  const left = [...STAYS, ...unfinished.map((name) => `snapshots/${name}`)];
  await c.remove(...left.map((name) => `${copy.control}/${name}`));
  return copy;
}

/** The programs to copy with; rsync counts where it is installed. */
export async function copiers(c: CheckContext): Promise<('cp' | 'rsync')[]> {
  const hasRsync = await c.run('rsync', '--version').then(
    () => true,
    () => false,
  );
  return hasRsync ? ['cp', 'rsync'] : ['cp'];
}
