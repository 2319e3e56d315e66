import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { runProgram } from '@jvs/platform/run-program';

/** A filesystem in a file, mounted for the checks. */
export interface ExtraFilesystem {
  name: string;
  /** An empty directory on it. */
  dir: string;
  unmount(): Promise<void>;
}

const KINDS = [
  { name: 'ext4', sizeMiB: 64, make: ['mkfs.ext4', '-q', '-F'] },
  { name: 'xfs', sizeMiB: 300, make: ['mkfs.xfs', '-q', '-m', 'reflink=1'] },
  { name: 'btrfs', sizeMiB: 120, make: ['mkfs.btrfs', '-q'] },
];

/** Mounts one of each kind below `folder`. Kinds that this machine cannot make or mount are told and left out. */
export async function mountExtraFilesystems(
  folder: string,
  searchPath: string,
  onMissing: (name: string, reason: string) => void,
): Promise<ExtraFilesystem[]> {
  const run = async (...words: string[]): Promise<string> => runProgram('env', [`PATH=${searchPath}`, ...words]);
  const mounted: ExtraFilesystem[] = [];
  for (const { name, sizeMiB, make } of KINDS) {
    const [image, dir] = [`${folder}/${name}.image`, `${folder}/${name}`];
    try {
      await mkdir(dir);
      await writeFile(image, '');
      await truncate(image, sizeMiB * 1024 * 1024);
      await run(...make, image);
      await run('mount', '-o', 'loop', image, dir);
      // Lazily, so that nothing that still runs there keeps the machine from getting rid of it.
      const unmount = async (): Promise<void> => void (await run('umount', '-l', dir));
      mounted.push({ name, dir, unmount });
    } catch (error) {
      onMissing(name, error instanceof Error ? error.message : String(error));
    }
  }
  return mounted;
}
