import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Bench, Row } from './bench.ts';
import { describeMachine } from './machine.ts';
import { makeTree } from './make-tree.ts';
import { isMet, type Measurement } from './measurement.ts';
import { type BenchOptions, isWholeRun, parseOptions, type RowName, USAGE } from './options.ts';
import { insertReport, renderReport, renderTable } from './report.ts';
import { firstSnapshot } from './rows/first-snapshot.ts';
import { info } from './rows/info.ts';
import { memory } from './rows/memory.ts';
import { restore } from './rows/restore.ts';
import { scale } from './rows/scale.ts';
import { syncs } from './rows/syncs.ts';
import { verify } from './rows/verify.ts';
import { openWorkbench, type Workbench } from './workbench.ts';

const DOCUMENT = fileURLToPath(new URL('../../../docs/benchmarks.md', import.meta.url));
const ROWS: Record<RowName, Row> = { snapshot: firstSnapshot, restore, verify, info, memory, syncs, scale };

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  // What is mounted goes when the process exits, which a signal alone would not make it do.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  const workbench = await openWorkbench(options.dir, options.files);
  try {
    await measure(workbench, options);
  } finally {
    await workbench.remove();
  }
}

/** The options; undefined when there is nothing to do because of them. */
function readOptions(): BenchOptions | undefined {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options !== 'help') return options;
    console.log(USAGE);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exitCode = 2;
  }
  return undefined;
}

async function measure(workbench: Workbench, options: BenchOptions): Promise<void> {
  const machine = await describeMachine(workbench);
  const source = join(workbench.dir, 'source');
  const { files, dirs, bytes } = makeTree(source, options.files);
  const facts = {
    Date: new Date().toISOString().slice(0, 10),
    ...machine,
    Data: `${count(files)} files in ${count(dirs)} directories, ${(bytes / 1e6).toFixed(0)} MB`,
    Rounds: `${options.rounds} counted after a warm-up; of memory all, of starts 30`,
  };
  for (const [name, fact] of Object.entries(facts)) console.log(`${name}: ${fact}`);

  const measurements: Measurement[] = [];
  for (const name of options.rows) {
    const tell = (line: string): void => console.log(`[${name}] ${line}`);
    const bench: Bench = { ...workbench, source, rounds: options.rounds, tell };
    measurements.push(...(await ROWS[name](bench)));
  }

  console.log(`\n${renderTable(measurements).join('\n')}\n`);
  const document = options.report ?? (isWholeRun(options) ? DOCUMENT : undefined);
  if (document === undefined) console.log('Not written into docs/benchmarks.md: this was not a whole run.');
  else await writeFile(document, insertReport(await readFile(document, 'utf8'), renderReport(facts, measurements)));
  if (measurements.some((measurement) => isMet(measurement) === false)) process.exitCode = 1;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

await main();
