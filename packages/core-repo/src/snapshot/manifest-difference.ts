import { unescapePath, type BytePath } from '@jvs/platform/byte-path';
import { SNAPSHOT_ID } from '../names.ts';
import type { Repository } from '../repository.ts';
import { parseDifferenceHeader, provesItself, readStoredManifest } from './manifest.ts';

/**
 * The form in which a manifest is stored: as a difference to the parent's, or to what that is a difference to, unless
 * the differences of the lineage on one base would outgrow it. Whole where there is no base that proves itself.
 */
export async function storedForm(r: Repository, parentId: string | null, whole: string): Promise<string> {
  const parent = parentId === null ? undefined : await readIfPossible(r, parentId);
  if (parentId === null || parent === undefined) return whole;
  const header = parseDifferenceHeader(parent);
  const base = header?.base ?? parentId;
  if (!SNAPSHOT_ID.test(base)) return whole;
  const stored = header === undefined ? parent : await readIfPossible(r, base);
  if (stored === undefined || !(await provesItself(r, base, stored))) return whole;
  const changes = difference(stored, whole);
  const total = changes.length + (header?.total ?? 0);
  return total > stored.length ? whole : `base ${base} ${total}\n${changes}`;
}

/** What cannot be read is no base; a snapshot does without one. */
async function readIfPossible(r: Repository, id: string): Promise<string | undefined> {
  return await readStoredManifest(r, id).catch((failure: unknown) => {
    r.log.warn({ id, failure }, 'the manifest cannot be read');
    return undefined;
  });
}

/**
 * The changes from one manifest to another: `-<path>` and `+<line>`, in their order. One pass over the two texts, since a
 * list of all entries would take ten times the memory.
 */
export function difference(from: string, to: string): string {
  let changes = '';
  let old = lineAt(from, 0);
  let now = lineAt(to, 0);
  while (old !== undefined || now !== undefined) {
    if (old?.text === now?.text) {
      old = old && lineAt(from, old.end);
      now = now && lineAt(to, now.end);
      continue;
    }
    const order = compare(old, now);
    if (order < 0) changes += `-${old?.text.slice(pathStart(old.text)) ?? ''}`;
    else changes += `+${now?.text ?? ''}`;
    if (order <= 0) old = old && lineAt(from, old.end);
    if (order >= 0) now = now && lineAt(to, now.end);
  }
  return changes;
}

interface Line {
  /** With its LF. */
  text: string;
  end: number;
}

function lineAt(manifest: string, start: number): Line | undefined {
  if (start >= manifest.length) return undefined;
  const end = manifest.indexOf('\n', start) + 1;
  return { text: manifest.slice(start, end), end };
}

/** By their paths; the end comes last. */
function compare(one: Line | undefined, other: Line | undefined): number {
  if (one === undefined || other === undefined) return one === undefined ? 1 : -1;
  const [path, otherPath] = [pathIn(one.text), pathIn(other.text)];
  return path === otherPath ? 0 : path < otherPath ? -1 : 1;
}

function pathIn(line: string): BytePath {
  const escaped = line.slice(pathStart(line), -1);
  return unescapePath(escaped) ?? escaped;
}

/** Behind the four fields that each line begins with. */
function pathStart(line: string): number {
  let start = 0;
  for (let field = 0; field < 4; field += 1) start = line.indexOf(' ', start) + 1;
  return start;
}
