import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as bundle, type BuildOptions, type Plugin } from 'esbuild';
import { bundleApp } from '../../../tooling/tsup/app.ts';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A text in a source file, and what a build is to have in its place. */
export interface Replacement {
  /** Below the root of the workspace. */
  file: string;
  /** Occurs once in the file. */
  find: string;
  replace: string;
}

/** Builds jvs from source below `folder`, which is made, as the release does but readable; returns the program's path. */
export async function buildJvs(folder: string, replacement?: Replacement): Promise<string> {
  await mkdir(folder);
  await cp(join(ROOT, 'apps/jvs/package.json'), join(folder, 'package.json'));
  const options: BuildOptions = {};
  bundleApp({}).esbuildOptions?.(options, { format: 'esm' });
  await bundle({
    conditions: options.conditions ?? [],
    alias: options.alias ?? {},
    banner: bannerOf(bundleApp({})),
    entryPoints: {
      main: join(ROOT, 'apps/jvs/src/main.ts'),
      'tree-worker': join(ROOT, 'packages/platform/src/tree/tree-worker.ts'),
    },
    outdir: join(folder, 'dist'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    logLevel: 'error',
    plugins: replacement === undefined ? [] : [replacing(replacement)],
  });
  return join(folder, 'dist/main.js');
}

function bannerOf({ banner }: ReturnType<typeof bundleApp>): Record<string, string> {
  return typeof banner === 'object' && banner.js !== undefined ? { js: banner.js } : {};
}

function replacing({ file, find, replace }: Replacement): Plugin {
  const path = join(ROOT, file);
  return {
    name: 'replace-once',
    setup: (build) => {
      build.onLoad({ filter: new RegExp(`${file.replaceAll(/[.\\/]/g, '\\$&')}$`) }, async () => {
        const text = await readFile(path, 'utf8');
        return { contents: text.replace(find, () => replace), loader: 'ts' };
      });
    },
  };
}
