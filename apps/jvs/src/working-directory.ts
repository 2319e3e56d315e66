import { realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { UsageError } from '@jvs/cli-kit';

/**
 * Where the repository and the worktree of this command are looked for: the working directory, or, if that is in no
 * repository and was entered through a symlink inside of one, the nearest directory above the way it was entered.
 */
export async function workingDirectory(): Promise<string> {
  const directory = physicalDirectory();
  const entered = enteredDirectory(directory);
  if (entered === undefined) return directory;
  const { findRoot } = await import('@jvs/core-repo/repository');
  if ((await findRoot(directory)) !== undefined) return directory;
  for (let above = dirname(entered); above !== dirname(above); above = dirname(above)) {
    if ((await findRoot(above)) !== undefined) return above;
  }
  return directory;
}

function physicalDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    throw new UsageError('The working directory no longer exists', {
      cause: error,
      hint: 'Go to one that does: cd "$PWD" enters its successor.',
    });
  }
}

/** The path by which the shell came to `directory`, where that is another one and still leads there. */
function enteredDirectory(directory: string): string | undefined {
  const { PWD: pwd = '' } = process.env;
  if (!isAbsolute(pwd) || pwd === directory) return undefined;
  try {
    const [there, here] = [statSync(pwd, { bigint: true }), statSync('.', { bigint: true })];
    const isSame = there.dev === here.dev && there.ino === here.ino;
    return isSame && realpathSync(dirname(pwd)) !== dirname(directory) ? pwd : undefined;
  } catch {
    // It is no path to anything, so it tells nothing.
    return undefined;
  }
}
