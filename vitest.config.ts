import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@jvs/source'] },
  ssr: { resolve: { conditions: ['@jvs/source'], externalConditions: ['@jvs/source'] } },
  test: {
    include: ['{packages,apps}/*/test/**/*.test.ts', 'tooling/*/test/**/*.test.ts', 'conformance/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Most of a test is a started CLI; one more than there are cores keeps both busy.
    maxWorkers: availableParallelism() + 1,
  },
});
