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
  if (requested !== undefined) return await engineNamed(dir, requested);
  for (const engine of ENGINES) {
    if (await engine.probe(dir)) return { engine, reason: `The probe of ${engine.name} succeeded.` };
  }
  throw new EngineUnavailableError('No snapshot engine works here', {
    hint: 'Every engine needs GNU cp, tar and xargs: install the packages coreutils, tar and findutils.',
  });
}

/** @throws EngineUnavailableError when no engine has this name, wherever it would have to work */
export function checkEngineName(requested: string): void {
  if (!ENGINE_NAMES.some((name) => name === requested)) throw unavailable(requested, 'does not exist');
}

async function engineNamed(dir: string, requested: string): Promise<EngineChoice> {
  checkEngineName(requested);
  const engine = ENGINES.find(({ name }) => name === requested);
  if (engine === undefined) throw unavailable(requested, 'is not built into this version');
  if (!(await engine.probe(dir))) {
    const why =
      engine === copyEngine
        ? 'needs GNU cp, tar and xargs (packages coreutils, tar, findutils)'
        : 'does not work on this filesystem';
    throw unavailable(requested, why);
  }
  return { engine, reason: 'It was asked for by name.' };
}

function unavailable(requested: string, why: string): EngineUnavailableError {
  const available = ENGINES.map(({ name }) => name);
  return new EngineUnavailableError(`The snapshot engine "${requested}" ${why}`, {
    hint: `Choose one of: ${available.join(', ')}.`,
    details: { engine: requested, available },
  });
}
