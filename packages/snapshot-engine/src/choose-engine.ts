import { copyEngine } from './copy-engine.ts';
import { EngineUnavailableError } from './engine-unavailable-error.ts';
import { reflinkEngine } from './reflink-engine.ts';
import { ENGINE_NAMES, type SnapshotEngine } from './snapshot-engine.ts';

export interface EngineChoice {
  readonly engine: SnapshotEngine;
  /** Why this one, as a sentence. */
  readonly reason: string;
}

/** From the cheapest to the one that works everywhere. */
const ENGINES: readonly SnapshotEngine[] = [reflinkEngine, copyEngine];

/**
 * The cheapest engine that works in `dir`, or the one that was asked for.
 * @throws EngineUnavailableError when that one does not work there, is not built yet or has no such name.
 */
export async function chooseEngine(
  dir: string,
  { requested }: { requested?: string | undefined } = {},
): Promise<EngineChoice> {
  if (requested !== undefined) return await obey(dir, requested);
  for (const engine of ENGINES) {
    if (await engine.probe(dir)) return { engine, reason: `The probe of ${engine.name} succeeded.` };
  }
  throw new EngineUnavailableError('No snapshot engine works here', {
    hint: 'Every engine needs GNU cp: install the package coreutils.',
  });
}

async function obey(dir: string, requested: string): Promise<EngineChoice> {
  const engine = ENGINES.find(({ name }) => name === requested);
  const details = { engine: requested, available: ENGINES.map(({ name }) => name) };
  const hint = `Choose one of: ${details.available.join(', ')}.`;
  if (engine === undefined) {
    const isKnown = ENGINE_NAMES.some((name) => name === requested);
    const why = isKnown ? 'is not built into this version' : 'does not exist';
    throw new EngineUnavailableError(`The snapshot engine "${requested}" ${why}`, { hint, details });
  }
  if (!(await engine.probe(dir))) {
    const why = engine === copyEngine ? 'needs GNU cp (package coreutils)' : 'does not work on this filesystem';
    throw new EngineUnavailableError(`The snapshot engine "${requested}" ${why}`, { hint, details });
  }
  return { engine, reason: 'It was asked for by name.' };
}
