import { Buffer } from 'node:buffer';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from '@jvs/testkit';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import {
  bytesOf,
  displayPath,
  escapePath,
  fromBytes,
  fromText,
  fsPath,
  joinPath,
  parentPath,
  unescapePath,
} from '../src/byte-path.ts';

/** Bytes as a path may hold them, with the ones that matter made likely. */
const someBytes = fc
  .array(
    fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constantFrom(0x5c, 0x0a, 0x0d, 0x6e, 0x72, 0x78, 0xc3, 0xa9, 0xff)),
  )
  .map((bytes) => Buffer.from(bytes));

describe('bytes and text', () => {
  test('every byte is one character and comes back', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

    expect(fromBytes(all)).toHaveLength(256);
    expect(bytesOf(fromBytes(all))).toEqual(all);
  });

  test('a view into a larger buffer is read alone', () => {
    expect(fromBytes(Buffer.from('abcdef').subarray(2, 4))).toBe('cd');
  });

  test('text becomes its UTF-8, without normalisation', () => {
    expect(fromText('plain')).toBe('plain');
    expect(bytesOf(fromText('\u00e9'))).toEqual(Buffer.from([0xc3, 0xa9]));
    expect(bytesOf(fromText('e\u0301'))).toEqual(Buffer.from([0x65, 0xcc, 0x81]));
  });

  test('comparing byte paths compares their bytes as memcmp does', () => {
    fc.assert(
      fc.property(someBytes, someBytes, (a, b) => {
        const [left, right] = [fromBytes(a), fromBytes(b)];
        const order = left < right ? -1 : left > right ? 1 : 0;
        expect(order).toBe(Buffer.compare(a, b));
      }),
    );
  });

  test('the plain sort is the order of manifests', () => {
    expect(['a/z', 'a.txt', 'a-b', 'a'].sort()).toEqual(['a', 'a-b', 'a.txt', 'a/z']);
    const names = ['\u{1f600}', '\uff5e', '\u00e9'].map(fromText);
    expect(names.sort()).toEqual(['\u00e9', '\uff5e', '\u{1f600}'].map(fromText));
  });
});

describe('places', () => {
  test('fsPath leads to the very bytes', ({ dir }) => {
    const path = 'sub/\xff\n\\';
    mkdirSync(`${dir}/sub`);
    writeFileSync(Buffer.from(`${dir}/${path}`, 'latin1'), 'found');

    expect(readFileSync(fsPath(dir, path), 'utf8')).toBe('found');
    expect(fsPath('/root', 'plain/name')).toBe('/root/plain/name');
    expect(fsPath('/root', '')).toBe('/root');
  });

  test('fsPath leaves a root that is not ASCII as it is', ({ dir }) => {
    mkdirSync(`${dir}/wurzel-\u00fc`);
    writeFileSync(`${dir}/wurzel-\u00fc/\u00e9`, 'found');

    expect(readFileSync(fsPath(`${dir}/wurzel-\u00fc`, fromText('\u00e9')), 'utf8')).toBe('found');
  });

  test('paths are joined and taken apart at slashes', () => {
    expect(joinPath('', 'a')).toBe('a');
    expect(joinPath('a/b', 'c')).toBe('a/b/c');
    expect(parentPath('a/b/c')).toBe('a/b');
    expect(parentPath('a')).toBe('');
  });
});

describe('the escapes of manifests', () => {
  test.for([
    ['back\\slash', 'back\\\\slash'],
    ['back\\nslash', 'back\\\\nslash'],
    ['new\nline', 'new\\nline'],
    ['cr\rhere', 'cr\\rhere'],
    [' lead and trail ', ' lead and trail '],
    ['tab\tand \x01 and \x7f', 'tab\tand \x01 and \x7f'],
    ['\xff\xfe', '\xff\xfe'],
  ] as const)('%j is written %j', ([path, escaped]) => {
    expect(escapePath(path)).toBe(escaped);
    expect(unescapePath(escaped)).toBe(path);
  });

  test('come back as the bytes they were, and never hold a line end', () => {
    fc.assert(
      fc.property(someBytes, (bytes) => {
        const escaped = escapePath(fromBytes(bytes));
        expect(escaped).not.toMatch(/[\n\r]/);
        expect(unescapePath(escaped)).toBe(fromBytes(bytes));
      }),
    );
  });

  test('nothing but backslash, n and r may follow a backslash', () => {
    for (const wrong of ['a\\', 'a\\t', '\\x41', '\\\\\\', 'a\\\nb', '\\N'])
      expect(unescapePath(wrong)).toBeUndefined();
  });
});

describe('the display form', () => {
  test.for([
    ['plain text', Buffer.from('plain text'), 'plain text'],
    ['valid UTF-8', Buffer.from('\u00e9 e\u0301 \uff5e \u{1f600}'), '\u00e9 e\u0301 \uff5e \u{1f600}'],
    ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe]), '\\xff\\xfe'],
    ['a cut sequence', Buffer.from([0x61, 0xe2, 0x82, 0x62]), 'a\\xe2\\x82b'],
    ['a lone continuation', Buffer.from([0x80, 0x61]), '\\x80a'],
    ['an overlong slash', Buffer.from([0xc0, 0xaf]), '\\xc0\\xaf'],
    ['an overlong sequence of three', Buffer.from([0xe0, 0x80, 0xaf]), '\\xe0\\x80\\xaf'],
    ['a surrogate', Buffer.from([0xed, 0xa0, 0x80]), '\\xed\\xa0\\x80'],
    ['beyond U+10FFFF', Buffer.from([0xf4, 0x90, 0x80, 0x80]), '\\xf4\\x90\\x80\\x80'],
    ['valid between invalid', Buffer.from([0xff, 0xc3, 0xa9, 0xff]), '\\xff\u00e9\\xff'],
    ['a byte order mark', Buffer.from('\ufeffa'), '\ufeffa'],
    ['escapes beside invalid bytes', Buffer.from([0xff, 0x0a, 0x5c]), '\\xff\\n\\\\'],
    ['what looks like an escape', Buffer.from('\\xff'), '\\\\xff'],
  ] as const)('of %s', ([, bytes, expected]) => {
    expect(displayPath(fromBytes(bytes))).toBe(expected);
  });

  test('tells every two paths apart: the bytes can be read back from it', () => {
    fc.assert(
      fc.property(someBytes, (bytes) => {
        expect(bytesFromDisplay(displayPath(fromBytes(bytes)))).toEqual(bytes);
      }),
    );
  });
});

/** The display form read by its definition: manifest escapes, `\xHH`, and UTF-8 for the rest. */
function bytesFromDisplay(text: string): Buffer {
  const parts = text.match(/\\x[0-9a-f]{2}|\\[\\nr]|[^\\]+/g) ?? [];
  return Buffer.concat(
    parts.map((part) => {
      if (part.startsWith('\\x')) return Buffer.from(part.slice(2), 'hex');
      if (part.startsWith('\\')) return Buffer.from({ '\\\\': '\\', '\\n': '\n', '\\r': '\r' }[part] ?? '');
      return Buffer.from(part);
    }),
  );
}
