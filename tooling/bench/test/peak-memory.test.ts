import process from 'node:process';
import { expect, test } from 'vitest';
import { measurePeakMemory } from '../src/peak-memory.ts';

const MB = 1e6;
/** Long enough to be sampled on a machine where everything runs at once. */
const HOLD_MS = 2000;
const HOLD_100_MB = `const held = Buffer.alloc(100e6, 1); setTimeout(() => held.length, ${HOLD_MS});`;

function node(script: string) {
  return { program: process.execPath, args: ['-e', script], cwd: process.cwd(), env: {} };
}

test('the memory of children counts', async () => {
  const nothing = await measurePeakMemory(node(`setTimeout(() => undefined, ${HOLD_MS});`));
  const child = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(HOLD_100_MB)}], { detached: true });`;
  const both = await measurePeakMemory(
    node(`const held = Buffer.alloc(50e6, 1); ${child} process.on('exit', () => held.length);`),
  );

  expect(both.pss - nothing.pss).toBeGreaterThan(140 * MB);
  expect(both.pss - nothing.pss).toBeLessThan(250 * MB);
  expect(both.peakRss).toBeGreaterThanOrEqual(both.pss);
  expect(both.samples).toBeGreaterThan(3);
});

test('a command that fails is an error', async () => {
  await expect(measurePeakMemory(node('process.exit(3)'))).rejects.toThrow('ended with 3');
});
