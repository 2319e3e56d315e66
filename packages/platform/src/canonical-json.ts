import canonicalize from 'canonicalize';
import { sha256 } from './digest.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** The one text of a JSON value by RFC 8785: sorted keys, no white space. */
export function canonicalJson(value: JsonValue): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return text;
}

/** SHA-256 of the canonical text of `value` without the top-level keys in `omitted`. */
export function canonicalDigest(value: JsonObject, ...omitted: string[]): string {
  const kept = Object.fromEntries(Object.entries(value).filter(([key]) => !omitted.includes(key)));
  return sha256(canonicalJson(kept));
}

/** `text` with lone surrogates replaced by U+FFFD, so that every program writes the same UTF-8 for it. */
export function wellFormed(text: string): string {
  return text.replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD');
}

/** As control files hold it: two spaces, keys in the order given, a final newline. */
export function prettyJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
