import { Buffer } from 'node:buffer';
import { test } from '@jvs/testkit';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { canonicalDigest, canonicalJson, prettyJson, wellFormed } from '../src/canonical-json.ts';

describe('the canonical form of RFC 8785', () => {
  test('orders keys by UTF-16 units (section 3.2.3)', () => {
    const input = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\u{1f600}': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };

    expect(canonicalJson(input)).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",' +
        '"\u20ac":"Euro Sign","\u{1f600}":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
  });

  test('writes the example of section 3.2.2', () => {
    const input = {
      numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"\u002f',
      literals: [null, true, false],
    };

    expect(canonicalJson(input)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('sorts at every depth and adds no white space', () => {
    expect(canonicalJson({ b: [{ z: 1, a: { d: null, c: [] } }], a: {} })).toBe(
      '{"a":{},"b":[{"a":{"c":[],"d":null},"z":1}]}',
    );
  });

  test('escapes only the quote, the backslash and U+0000 to U+001F', () => {
    const controls = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join('');

    expect(canonicalJson(controls)).toBe(
      '"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f' +
        '\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f"',
    );
    expect(canonicalJson('"\\/\u007f\u2028\u00e9\u{1f600}')).toBe('"\\"\\\\/\u007f\u2028\u00e9\u{1f600}"');
  });

  test('leaves text as it is: two ways to write one letter stay two', () => {
    expect(canonicalJson('\u00e9')).not.toBe(canonicalJson('e\u0301'));
  });

  test('is the same whatever the order of keys was', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.integer()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).toReversed());
        expect(canonicalJson(reversed)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(value);
      }),
    );
  });

  test('refuses what is no JSON value', () => {
    expect(() => canonicalJson({ lone: '\ud800' })).toThrow(Error);
    expect(() => canonicalJson(Number.NaN)).toThrow(Error);
  });
});

describe('digests', () => {
  test('hash the canonical bytes without the keys left out', () => {
    // printf '{"a":1,"b":2}' | sha256sum
    const expected = '43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777';

    expect(canonicalDigest({ b: 2, a: 1 })).toBe(expected);
    expect(canonicalDigest({ hash: 'x', b: 2, other: null, a: 1 }, 'hash', 'other')).toBe(expected);
  });

  test('leave out top-level keys alone', () => {
    expect(canonicalDigest({ a: { hash: 1 } }, 'hash')).not.toBe(canonicalDigest({ a: {} }, 'hash'));
  });
});

describe('well-formed text', () => {
  test.for([
    ['\ud800', '\ufffd'],
    ['\udc00', '\ufffd'],
    ['a\ud800b', 'a\ufffdb'],
    ['\ud800\ud800\udc00', '\ufffd\u{10000}'],
    ['\udc00\ud800', '\ufffd\ufffd'],
    ['\u{1f600}', '\u{1f600}'],
    ['plain \u00e9', 'plain \u00e9'],
  ] as const)('%j becomes %j', ([text, expected]) => {
    expect(wellFormed(text)).toBe(expected);
  });

  test('is what an encoder would have made of it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0xd7fe, max: 0xe001 }).map((code) => String.fromCharCode(code)) }),
        (text) => {
          expect(wellFormed(text)).toBe(Buffer.from(text, 'utf8').toString('utf8'));
        },
      ),
    );
  });
});

test('control files have two spaces, the order given, and a final newline', () => {
  expect(prettyJson({ b: 1, a: [null] })).toBe('{\n  "b": 1,\n  "a": [\n    null\n  ]\n}\n');
});
