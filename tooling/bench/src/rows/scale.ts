import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { writeLargeRepository } from '@jvs/testkit/large-repository';
import type { Bench } from '../bench.ts';
import type { Measurement, Series } from '../measurement.ts';
import { measurePeakMemory } from '../peak-memory.ts';
import { run } from '../run.ts';
import { discard, jvs, settle } from '../workbench.ts';

const MANY = 10_000;
const FEW = 1000;
const AUDIT_RECORDS = 100_000;
const BAR_MS = 1000;
const BAR_MB = 200;
const MB = 1e6;

/** Commands that must stay quick however long the history is. */
const QUICK: readonly (readonly string[])[] = [
  ['history', '--limit', '20'],
  ['info'],
  ['lock', 'acquire'],
  ['gc', 'plan'],
  // The most that a plan can hold: all snapshots but the head.
  ['gc', 'plan', '--scope', 'all', '--keep-last', '1'],
];

/** A repository of ten thousand snapshots and a hundred thousand audit records, written by hand. */
export async function scale(bench: Bench): Promise<Measurement[]> {
  const many = large(bench, MANY, AUDIT_RECORDS);
  const quick: Measurement[] = [];
  for (const args of QUICK) quick.push(await timeQuick(bench, many, args));
  const memory = await measureMemory(bench, many);
  const manyMs = await timeVerify(bench, many);
  await discard(many);
  const few = large(bench, FEW, AUDIT_RECORDS / 10);
  const fewMs = await timeVerify(bench, few);
  await discard(few);
  return [...quick, ...memory, verifyLinear(manyMs, fewMs)];
}

function large(bench: Bench, snapshots: number, auditRecords: number): string {
  const root = join(bench.dir, 'large');
  writeLargeRepository(root, { worktrees: [{ name: 'main', snapshots }], auditRecords });
  return root;
}

async function timeQuick(bench: Bench, root: string, args: readonly string[]): Promise<Measurement> {
  const values: number[] = [];
  await settle(bench);
  for (let round = 0; round <= bench.rounds; round++) {
    const { ms } = await run(jvs(bench, join(root, 'main'), args));
    if (args[0] === 'lock') await run(jvs(bench, join(root, 'main'), ['lock', 'release']));
    bench.tell(`jvs ${args.join(' ')}: ${ms.toFixed(0)} ms`);
    if (round > 0) values.push(ms);
  }
  const series: Series = { command: `jvs ${args.join(' ')}`, values };
  const what = `\`${series.command}\`, 10,000 snapshots`;
  return { what, unit: 'ms', jvs: series, compare: 'largest', bar: BAR_MS };
}

async function measureMemory(bench: Bench, root: string): Promise<Measurement[]> {
  const node = join(bench.dir, 'node');
  await copyFile(process.execPath, node);
  const measurements: Measurement[] = [];
  for (const args of [
    ['gc', 'plan'],
    ['verify', '--all'],
  ]) {
    const { pss } = await measurePeakMemory(jvs(bench, join(root, 'main'), args, node));
    const command = `jvs ${args.join(' ')}`;
    bench.tell(`${command}: ${(pss / MB).toFixed(0)} MB`);
    const series: Series = { command, values: [pss / MB] };
    const what = `\`${command}\`, 10,000 snapshots: memory`;
    measurements.push({ what, unit: 'MB', jvs: series, compare: 'largest', bar: BAR_MB });
  }
  return measurements;
}

async function timeVerify(bench: Bench, root: string): Promise<number> {
  await settle(bench);
  const { ms } = await run(jvs(bench, join(root, 'main'), ['verify', '--all']));
  bench.tell(`jvs verify --all: ${ms.toFixed(0)} ms`);
  return ms;
}

/** Ten times the snapshots and records take ten times as long. */
function verifyLinear(manyMs: number, fewMs: number): Measurement {
  return {
    what: '`jvs verify --all`, 10,000 snapshots',
    unit: 'ms',
    jvs: { command: 'jvs verify --all', values: [manyMs] },
    peer: { name: 'ten times that of 1,000', command: 'jvs verify --all', values: [fewMs * 10] },
    compare: 'ratio',
    bar: 1.2,
  };
}
