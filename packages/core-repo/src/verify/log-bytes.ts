import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, type JsonValue } from '@jvs/platform/canonical-json';
import { hasCode } from '@jvs/platform/errors';

const SLOT = /^(\d{12})\.jsonl$/;
const SEGMENT = /^[a-z]+-(\d{12})-(\d{12})\.jsonl$/;

/**
 * Names of a log's files whose bytes are not the canonical lines of records, each with its LF. A reader takes a record
 * whose last byte is missing; a verification does not. Slots that a segment covers are never read, and left out.
 */
export async function misspeltLogFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  });
  const segments = names.flatMap((name) => {
    const [, first, last] = SEGMENT.exec(name) ?? [];
    return first === undefined ? [] : [{ name, first: Number(first), last: Number(last) }];
  });
  const misspelt: string[] = [];
  for (const { name, first, last } of segments) {
    if ((await lineCount(join(directory, name))) !== last - first + 1) misspelt.push(name);
  }
  for (const name of names) {
    const seq = Number(SLOT.exec(name)?.[1]);
    const isRead = seq > 0 && !segments.some(({ first, last }) => first <= seq && seq <= last);
    if (isRead && (await lineCount(join(directory, name))) !== 1) misspelt.push(name);
  }
  return misspelt.sort();
}

/** How many canonical lines a file holds; undefined when it holds anything else. One that vanished was folded: it is right. */
async function lineCount(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (text === undefined) return 1;
  if (!text.endsWith('\n')) return undefined;
  const lines = text.slice(0, -1).split('\n');
  return lines.every(isCanonical) ? lines.length : undefined;
}

function isCanonical(line: string): boolean {
  try {
    return canonicalJson(JSON.parse(line) as JsonValue) === line;
  } catch {
    return false;
  }
}
