import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { hasCode } from '@jvs/platform/errors';
import type { Repository } from '../repository.ts';

const CHUNK_BYTES = 1 << 20;
/** So many manifests are read in one go before others get their turn. */
const BATCH = 64;
const BASE = /^base (\d{13}-[0-9a-f]{8}) /;
/** 52 bits of a hash fit a number exactly; among ten million of them two are the same once in a hundred repositories. */
const KEY_DIGITS = 13;

/**
 * Bytes of `deleted` snapshots whose hash is in no stored line of a manifest that is kept, each content counted once.
 * Manifests are read one after the other; only the hashes of the deleted ones are held.
 */
export async function exclusiveBytes(
  r: Repository,
  deleted: readonly string[],
  kept: Iterable<string>,
  signal?: AbortSignal,
): Promise<number> {
  if (deleted.length === 0) return 0;
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const sizes = new Map<number, number>();
  for await (const id of inTurns(deleted, signal)) {
    readStoredFiles(r.layout.manifest(id), chunk, (hash, size) => void sizes.set(hash, size));
  }
  // A base stays as long as a kept manifest is a difference to it, also when its own snapshot goes.
  const bases = new Set<string>();
  const keptIds = new Set(kept);
  const forget = (id: string): void => {
    const base = readStoredFiles(r.layout.manifest(id), chunk, (hash) => void sizes.delete(hash));
    if (base !== undefined && !keptIds.has(base)) bases.add(base);
  };
  for await (const id of inTurns(keptIds, signal)) {
    if (sizes.size === 0) return 0;
    forget(id);
  }
  for (const id of bases) forget(id);
  let bytes = 0;
  for (const size of sizes.values()) bytes += size;
  return bytes;
}

async function* inTurns(ids: Iterable<string>, signal?: AbortSignal): AsyncGenerator<string> {
  let count = 0;
  for (const id of ids) {
    count += 1;
    if (count % BATCH === 0) {
      signal?.throwIfAborted();
      await setImmediate();
    }
    yield id;
  }
}

/** Passes the files in a manifest's stored lines, and returns its base if it is a difference. Of a lost one, nothing. */
function readStoredFiles(
  path: string,
  chunk: Buffer,
  onFile: (hash: number, size: number) => void,
): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    let base: string | undefined;
    let isFirst = true;
    let rest = '';
    let count: number;
    do {
      count = readSync(file, chunk);
      const text = rest + chunk.toString('latin1', 0, count);
      if (isFirst) base = BASE.exec(text)?.[1];
      isFirst = false;
      const end = text.lastIndexOf('\n') + 1;
      passFiles(text, end, onFile);
      rest = text.slice(end);
    } while (count === chunk.length);
    return base;
  } finally {
    closeSync(file);
  }
}

/** Lines of files are `file <mode> <size> <sha256> <path>`, in a difference with a plus before. */
function passFiles(text: string, end: number, onFile: (hash: number, size: number) => void): void {
  for (let at = 0; at < end; at = text.indexOf('\n', at) + 1) {
    const start = text[at] === '+' ? at + 1 : at;
    if (!text.startsWith('file ', start)) continue;
    const size = text.indexOf(' ', start + 'file 0000 '.length);
    const hash = Number.parseInt(text.slice(size + 1, size + 1 + KEY_DIGITS), 16);
    onFile(hash, Number(text.slice(start + 'file 0000 '.length, size)));
  }
}
