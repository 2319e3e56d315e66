import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@jvs/source'] },
  ssr: { resolve: { conditions: ['@jvs/source'], externalConditions: ['@jvs/source'] } },
  test: {
    include: ['{packages,apps}/*/test/**/*.test.ts', 'tooling/*/test/**/*.test.ts', 'conformance/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
