import { fileURLToPath } from 'node:url';
import type { Options } from 'tsup';
import { thirdPartyNotices } from './third-party.ts';

/** How every app is bundled, from source, into the files that `entry` names (name: path below the app). */
export function bundleApp(entry: Record<string, string>): Options {
  return {
    entry,
    format: 'esm',
    target: 'node20.19',
    sourcemap: true,
    clean: true,
    // Everything goes into the bundle: the command starts faster, and installs without a registry.
    noExternal: [/.*/],
    esbuildPlugins: [thirdPartyNotices],
    esbuildOptions: (options) => {
      options.minifyWhitespace = true;
      options.minifySyntax = true;
      options.minifyIdentifiers = true;
      options.keepNames = true;
      options.conditions = ['@jvs/source'];
      options.alias = {
        'string-width': fileURLToPath(new URL('string-width.js', import.meta.url)),
        assert: fileURLToPath(new URL('assert.js', import.meta.url)),
      };
    },
    // CommonJS modules in the bundle (pino) call `require` for Node's own modules.
    banner: {
      js: [
        '#!/usr/bin/env node',
        "import { createRequire as __createRequire } from 'node:module';",
        'const require = __createRequire(import.meta.url);',
      ].join('\n'),
    },
  };
}
