import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { CHECKS, runConformance } from '@jvs/conformance';
import { test } from '@jvs/testkit';
import { describe, expect } from 'vitest';
import { buildJvs, ROOT } from './build-jvs.ts';
import { MUTANTS } from './mutants.ts';

/** Most of it is started programs, and on a busy machine each waits for its turn. */
const PATIENCE = { timeout: 180_000 };

test('each check has a build that it must refuse', () => {
  expect(MUTANTS.map(({ check }) => check)).toEqual(CHECKS.map(({ number }) => number));
});

test.for(MUTANTS)('$check: what is to be replaced is in $file once', ({ file, find }) => {
  expect(readFileSync(join(ROOT, file), 'utf8').split(find)).toHaveLength(2);
});

test('a build with nothing replaced passes', async ({ dir }) => {
  const bin = [process.execPath, await buildJvs(`${dir}/sound`)];

  const report = await runConformance({ bin, only: [5, 27], directory: dir });

  expect(report).toMatchObject({ passed: 2, failed: 0 });
});

describe.concurrent('a broken build fails', () => {
  test.for(MUTANTS)('$check: $breaks', PATIENCE, async ({ check, says, ...replacement }, { dir, expect: claim }) => {
    const bin = [process.execPath, await buildJvs(`${dir}/broken`, replacement)];

    const { results } = await runConformance({ bin, only: [check], directory: dir, concurrency: 1 });

    claim(results).toMatchObject([{ check, status: 'failed', error: { message: claim.stringMatching(says) } }]);
    claim(results[0]?.error?.class).toMatch(/^E_(?!INTERNAL)[A-Z_]+$/);
  });
});
