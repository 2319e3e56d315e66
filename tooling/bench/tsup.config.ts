import { defineConfig } from 'tsup';

// Node 20 runs no TypeScript; what comes from the workspace is source too, so it goes into the bundle.
export default defineConfig({
  entry: ['src/main.ts'],
  format: 'esm',
  target: 'node20.19',
  clean: true,
  noExternal: [/^@jvs\//],
});
