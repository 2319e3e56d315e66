import { execFile } from 'node:child_process';
import process from 'node:process';
import { runConformance, type CheckResult } from '@jvs/conformance';
import { test } from '@jvs/testkit';
import { describe } from 'vitest';
import { buildJvs } from './build-jvs.ts';
import { MUTANTS } from './mutants.ts';

/** Runs a check on the build that it must refuse, then what it prints to do it again. */
async function failAndRepeat(check: number, dir: string): Promise<{ result: CheckResult | undefined; again: string }> {
  const mutant = MUTANTS.find((each) => each.check === check);
  const bin = [process.execPath, await buildJvs(`${dir}/broken`, mutant)];
  const { results } = await runConformance({ bin, only: [check], directory: dir });
  const script = results[0]?.error?.reproduce ?? [];
  const again = await new Promise<string>((resolve) => {
    const env = { PATH: process.env['PATH'], TMPDIR: dir };
    execFile('sh', ['-c', script.join('\n')], { env, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve(`${stdout}${stderr}status ${error?.code ?? 0}`);
    });
  });
  return { result: results[0], again };
}

describe.concurrent('what a failed check prints to do it again, run by a shell', { timeout: 180_000 }, () => {
  test('asks for ids, which are new, and ends with the command that ought to have failed', async ({ dir, expect }) => {
    const { result, again } = await failAndRepeat(8, dir);

    const script = result?.error?.reproduce.join('\n') ?? '';
    expect(script).toContain('$ID1');
    expect(script).not.toMatch(/\d{13}-[0-9a-f]{8}/);
    expect(again).toMatch(/"tamper_detected": false[^]*status 0$/);
  });

  test('freezes a holder and thaws it', async ({ dir, expect }) => {
    const { again } = await failAndRepeat(3, dir);

    expect(again).toContain('jvs: E_FENCING_MISMATCH: ');
    expect(again).toContain('"note": "by bob"');
  });
});
