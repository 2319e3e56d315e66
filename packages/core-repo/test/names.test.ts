import { test } from '@jvs/testkit';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { checkName, newSnapshotId, SNAPSHOT_ID } from '../src/names.ts';

describe('a name', () => {
  test.for([
    'main',
    'a',
    'A.b-c_d',
    '_private',
    '0',
    'release-1.2.3',
    'x'.repeat(128),
    'head',
    'HEAD2',
    'a.tmp.b',
    'tmp',
    '1771578748123',
  ])('may be %s', (name) => {
    expect(() => checkName('worktree', name)).not.toThrow();
  });

  test.for([
    ['empty', ''],
    ['too long', 'x'.repeat(129)],
    ['.', '.'],
    ['..', '..'],
    ['a traversal', '../main'],
    ['a path', 'a/b'],
    ['an absolute path', '/etc'],
    ['with two dots inside', 'a..b'],
    ['hidden', '.hidden'],
    ['a flag', '-rf'],
    ['temporary', 'work.tmp'],
    ['gone', 'work.gone'],
    ['a lock', 'work.lock'],
    ['only an ending', '.tmp'],
    ['HEAD', 'HEAD'],
    ['a snapshot id', '1771578748123-0a1b2c3d'],
    ['spaced', 'a b'],
    ['with a line end', 'a\n'],
    ['with a NUL', 'a\0b'],
    ['with an accent', 'caf\u00e9'],
    ['with a combined accent', 'cafe\u0301'],
    ['with a backslash', 'a\\b'],
    ['with a colon', 'main:HEAD'],
    ['with a tilde', 'HEAD~1'],
    ['in full-width letters', '\uff41'],
  ])('may not be %s', ([, name]) => {
    expect(() => checkName('ref', name ?? '')).toThrow(expect.objectContaining({ code: 'E_NAME_INVALID' }));
  });

  test('that passes holds nothing that could leave a folder', () => {
    const character = fc.constantFrom('a', 'Z', '0', '.', '-', '_', '/', '\\', ' ', '\n', '\0', '\u00e9');
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 6 }), (name) => {
        const isAllowed = /^[A-Za-z0-9._-]{1,128}$/.test(name) && !name.includes('..') && !/^[.-]/.test(name);
        const check = () => checkName('tag', name);
        if (isAllowed) expect(check).not.toThrow();
        else expect(check).toThrow(expect.objectContaining({ code: 'E_NAME_INVALID' }));
      }),
    );
  });
});

describe('a snapshot id', () => {
  test('is the creation time in ms, padded, and 32 random bits', () => {
    expect(newSnapshotId(1771578748123)).toMatch(/^1771578748123-[0-9a-f]{8}$/);
    expect(newSnapshotId(5)).toMatch(/^0000000000005-[0-9a-f]{8}$/);
    expect(new Set(Array.from({ length: 50 }, () => newSnapshotId(5))).size).toBe(50);
  });

  test.for([
    '1771578748123-0A1B2C3D',
    '177157874812-0a1b2c3d',
    '1771578748123-0a1b2c3',
    '1771578748123-0a1b2c3d\n',
    ' 1771578748123-0a1b2c3d',
  ])('%j is none', (text) => {
    expect(SNAPSHOT_ID.test(text)).toBe(false);
  });
});
