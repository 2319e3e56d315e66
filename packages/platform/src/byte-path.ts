import { Buffer } from 'node:buffer';

/**
 * A path inside a tree as bytes: a string with one character (U+0000 to U+00FF) for each byte, `/` between components,
 * no leading slash; `''` is the tree's root. Comparing two such strings compares their bytes, so `Array.sort()` sorts as
 * `memcmp` does, and one-byte strings are the most compact form V8 has.
 */
export type BytePath = string;

const NOT_ASCII = /[^\x00-\x7f]/; // oxlint-disable-line no-control-regex
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function bytesOf(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

export function fromBytes(bytes: Uint8Array): BytePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The byte path of ordinary text. */
export function fromText(text: string): BytePath {
  return NOT_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

/** What to hand to `node:fs` for `path` below `root`: a string where every byte is ASCII, else a Buffer. */
export function fsPath(root: string, path: BytePath): string | Buffer {
  if (path === '') return root;
  if (!NOT_ASCII.test(path)) return `${root}/${path}`;
  return Buffer.concat([Buffer.from(`${root}/`, 'utf8'), Buffer.from(path, 'latin1')]);
}

export function joinPath(directory: BytePath, name: BytePath): BytePath {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The directory that holds `path`; `''` for a top-level entry. */
export function parentPath(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** The manifest's escapes: backslash, LF and CR as `\\`, `\n` and `\r`; every other byte stays. */
export function escapePath(path: BytePath): string {
  if (!/[\\\n\r]/.test(path)) return path;
  return path.replace(/[\\\n\r]/g, (byte) => (byte === '\\' ? '\\\\' : byte === '\n' ? '\\n' : '\\r'));
}

/** Reverses {@link escapePath}; undefined when a backslash stands before anything else than `\`, `n` or `r`. */
export function unescapePath(escaped: string): BytePath | undefined {
  if (!escaped.includes('\\')) return escaped;
  let valid = true;
  const path = escaped.replace(/\\(.?)/gs, (_, kind: string) => {
    if (kind === '\\') return '\\';
    if (kind === 'n') return '\n';
    if (kind === 'r') return '\r';
    valid = false;
    return '';
  });
  return valid ? path : undefined;
}

/**
 * The form of a path for JSON and for people: the manifest's escapes, and `\xHH` for each byte that is no valid UTF-8.
 * Unambiguous, since a backslash is itself escaped.
 */
export function displayPath(path: BytePath): string {
  const escaped = escapePath(path);
  if (!NOT_ASCII.test(escaped)) return escaped;
  const bytes = Buffer.from(escaped, 'latin1');
  try {
    return utf8.decode(bytes);
  } catch {
    return displayBytes(bytes);
  }
}

function displayBytes(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes[at] ?? 0);
    const decoded = length > 0 ? decodeOrNothing(bytes.subarray(at, at + length)) : undefined;
    text += decoded ?? `\\x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`;
    at += decoded === undefined ? 1 : length;
  }
  return text;
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

function decodeOrNothing(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
