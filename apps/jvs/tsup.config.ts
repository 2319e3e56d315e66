import { defineConfig } from 'tsup';
import { bundleApp } from '../../tooling/tsup/app.ts';

export default defineConfig(
  bundleApp({ main: 'src/main.ts', 'tree-worker': '../../packages/platform/src/tree/tree-worker.ts' }),
);
