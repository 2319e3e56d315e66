import { readFile } from 'node:fs/promises';
import { escapePath, unescapePath, type BytePath } from '@jvs/platform/byte-path';
import { sha256OfByteString } from '@jvs/platform/digest';
import { CodedError, hasCode } from '@jvs/platform/errors';
import { findAncestor } from '../history/lineage.ts';
import { SNAPSHOT_ID } from '../names.ts';
import type { Repository } from '../repository.ts';

/**
 * A manifest in memory: one string an entry, `<path>\0<type> <mode> <size> <sha256>`, in the byte order of paths. NUL is
 * in no path and below every other byte, so sorting the strings sorts the paths.
 */
export type ManifestEntries = readonly string[];

/** The payload, or the manifest that describes it, is not what was published. */
export class PayloadMismatchError extends CodedError {
  readonly code = 'E_PAYLOAD_HASH_MISMATCH';
}

const LINE = /^(file [0-7]{4} \d+ [0-9a-f]{64}|dir [0-7]{4} - -|symlink - - [0-9a-f]{64}) ([^]+)$/;

/** The manifest's bytes as a byte string: what is stored and hashed. */
export function serializeManifest(entries: ManifestEntries): string {
  let text = '';
  for (const entry of entries) {
    const end = entry.indexOf('\0');
    text += `${entry.slice(end + 1)} ${escapePath(entry.slice(0, end))}\n`;
  }
  return text;
}

/** Undefined where the text is no manifest: a malformed line, or one out of order. */
export function parseManifest(text: string): string[] | undefined {
  if (text === '') return [];
  if (!text.endsWith('\n')) return undefined;
  const entries: string[] = [];
  let last = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const entry = parseLine(line);
    if (entry === undefined || entry <= last) return undefined;
    entries.push(entry);
    last = entry;
  }
  return entries;
}

function parseLine(line: string): string | undefined {
  const [, facts, escaped] = LINE.exec(line) ?? [];
  const path = escaped === undefined ? undefined : unescapePath(escaped);
  return facts === undefined || path === undefined || path.includes('\0') ? undefined : `${path}\0${facts}`;
}

/** What a difference says of itself, in its first line. */
export interface DifferenceHeader {
  /** The snapshot whose whole manifest it is a difference to. */
  base: string;
  /** Bytes after the first line, of this one and of all between it and the base. */
  total: number;
  /** Where the changes begin. */
  end: number;
}

/** Undefined for a manifest that is stored whole. */
export function parseDifferenceHeader(stored: string): DifferenceHeader | undefined {
  const [line, base, total] = /^base (\S+) (\d+)\n/.exec(stored) ?? [];
  return line === undefined || base === undefined ? undefined : { base, total: Number(total), end: line.length };
}

/**
 * The entries of a snapshot's manifest, from its stored form: whole, or a difference to one that is stored whole.
 * @param expectedHash the descriptor's payload_root_hash; a manifest proves itself against it.
 * @returns undefined when the manifest is lost: missing, or standing on a base that is missing or damaged.
 * @throws PayloadMismatchError when it does not hash to `expectedHash`
 */
export async function readManifestEntries(
  r: Repository,
  id: string,
  expectedHash: string,
): Promise<string[] | undefined> {
  const stored = await readStoredManifest(r, id);
  if (stored === undefined) return undefined;
  const header = parseDifferenceHeader(stored);
  if (header === undefined) {
    const entries = sha256OfByteString(stored) === expectedHash ? parseManifest(stored) : undefined;
    return entries ?? damaged(id, r.layout.manifest(id));
  }
  const baseId = header.base;
  const base = SNAPSHOT_ID.test(baseId) ? await readStoredManifest(r, baseId) : undefined;
  const baseEntries = base === undefined ? undefined : parseManifest(base);
  if (baseEntries === undefined) return undefined;
  const entries = applyDifference(baseEntries, stored.slice(header.end));
  if (entries !== undefined && sha256OfByteString(serializeManifest(entries)) === expectedHash) return entries;
  return (await provesItself(r, baseId, base ?? '')) ? damaged(id, r.layout.manifest(id)) : undefined;
}

/** Whether a whole manifest is what the descriptor of its snapshot names, or the tombstone of a deleted one. */
export async function provesItself(r: Repository, id: string, whole: string): Promise<boolean> {
  const found = await findAncestor(r, id).catch(() => undefined);
  return found?.descriptor.payload_root_hash.value === sha256OfByteString(whole);
}

function damaged(id: string, path: string): never {
  throw new PayloadMismatchError(`The manifest of snapshot ${id} does not hash to its payload_root_hash`, {
    hint: 'Run "jvs verify" to see whether the payload itself is whole.',
    details: { snapshot_id: id, path },
  });
}

/** Merges sorted changes (`-<path>`, `+<manifest line>`) into sorted entries; undefined where they do not fit. */
function applyDifference(base: ManifestEntries, text: string): string[] | undefined {
  const result: string[] = [];
  let at = 0;
  const copyUpTo = (path: BytePath): boolean => {
    while (at < base.length && pathOf(base[at] ?? '') < path) result.push(base[at++] ?? '');
    const isThere = at < base.length && pathOf(base[at] ?? '') === path;
    if (isThere) at += 1;
    return isThere;
  };
  let last = '';
  const inOrder = (path: BytePath): boolean => {
    const follows = path > last;
    last = path;
    return follows;
  };
  if (text !== '' && !text.endsWith('\n')) return undefined;
  for (const line of text === '' ? [] : text.slice(0, -1).split('\n')) {
    if (line.startsWith('-')) {
      const path = unescapePath(line.slice(1));
      if (path === undefined || !inOrder(path) || !copyUpTo(path)) return undefined;
    } else {
      const entry = line.startsWith('+') ? parseLine(line.slice(1)) : undefined;
      if (entry === undefined || !inOrder(pathOf(entry))) return undefined;
      copyUpTo(pathOf(entry));
      result.push(entry);
    }
  }
  return [...result, ...base.slice(at)];
}

export function pathOf(entry: string): BytePath {
  return entry.slice(0, entry.indexOf('\0'));
}

/** The bytes of a manifest as a byte string, whole or a difference; undefined when there are none. */
export async function readStoredManifest(r: Repository, id: string): Promise<string | undefined> {
  try {
    return await readFile(r.layout.manifest(id), 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
