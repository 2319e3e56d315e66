import { createHash } from 'node:crypto';

/**
 * RFC 8785 by hand, so that the kit shares nothing with a program it judges: keys in UTF-16 order, no white space.
 * `JSON.stringify` already writes strings and integers as the RFC asks.
 */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}

/** Lower-case hex. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** SHA-256 of the canonical form of `value` without the named keys. */
export function hashWithout(value: object, ...keys: string[]): string {
  const rest = Object.entries(value).filter(([key]) => !keys.includes(key));
  return sha256(canonical(Object.fromEntries(rest)));
}

/** A log record with its `record_hash` made anew, as the one line of its file. */
export function recordLine(record: object): string {
  return `${canonical({ ...record, record_hash: hashWithout(record, 'record_hash') })}\n`;
}

/** Two spaces and a final newline, as JSON files of a repository are written. */
export function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
