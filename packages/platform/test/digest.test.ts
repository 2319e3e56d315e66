import { Buffer } from 'node:buffer';
import { test } from '@jvs/testkit';
import { expect } from 'vitest';
import { sha256, sha256OfByteString } from '../src/digest.ts';

// FIPS 180-4 examples of NIST, and two answers of sha256sum(1).
test.for([
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
] as const)('hashes %j as the standard says', ([text, expected]) => {
  expect(sha256(text)).toBe(expected);
  expect(sha256(Buffer.from(text))).toBe(expected);
  expect(sha256OfByteString(text)).toBe(expected);
});

test('text is hashed as UTF-8, a byte string as its bytes', () => {
  // printf '\303\251' | sha256sum; printf '\351' | sha256sum
  const ofUtf8 = '4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c';
  const ofByte = 'de2e331d891ae267a7009cb45b4e8830f170e0c937288ea2731a1941c7a53b0d';

  expect(sha256('\u00e9')).toBe(ofUtf8);
  expect(sha256OfByteString('\xc3\xa9')).toBe(ofUtf8);
  expect(sha256OfByteString('\xe9')).toBe(ofByte);
});
