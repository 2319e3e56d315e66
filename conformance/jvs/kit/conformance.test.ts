import process from 'node:process';
import { CHECKS, runConformance } from '@jvs/conformance';
import { JVS_BIN, test } from '@jvs/testkit';
import { describe } from 'vitest';

const PROFILE = process.env['JVS_TEST_LONG'] === '1' ? 'release' : 'dev';
/** With real waiting, and on three more filesystems. */
const PATIENCE_MS = PROFILE === 'release' ? 1_200_000 : 300_000;

describe.concurrent(`the built jvs passes, profile ${PROFILE}`, () => {
  test.for(CHECKS)('$number: $title', { timeout: PATIENCE_MS }, async ({ number }, { dir, expect }) => {
    const bin = [process.execPath, JVS_BIN];

    const report = await runConformance({ bin, profile: PROFILE, only: [number], directory: dir, concurrency: 1 });

    expect(report.results).toMatchObject([{ check: number, status: 'passed', error: null }]);
  });
});
