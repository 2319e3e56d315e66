import { describe, expect } from 'vitest';
import { compareManifests, isUnchanged } from '../../src/history/compare-manifests.ts';
import { parseManifest } from '../../src/snapshot/manifest.ts';
import { MANIFESTS } from '../fixtures/vectors.ts';
import { test } from '../fixtures/world.ts';

const NONE = { added: [], removed: [], modified: [], mode_changed: [], type_changed: [] };
const ONE = '1'.repeat(64);
const TWO = '2'.repeat(64);
const entry = (path: string, facts: string) => `${path}\0${facts}`;
const file = (path: string, hash = ONE, mode = '0644', size = 1) => entry(path, `file ${mode} ${size} ${hash}`);

describe('between two manifests', () => {
  test.for([
    ['nothing', [file('a')], [file('a')], {}],
    ['an added file', [], [file('a')], { added: ['a'] }],
    ['a removed file', [file('a')], [], { removed: ['a'] }],
    ['other content', [file('a')], [file('a', TWO)], { modified: ['a'] }],
    ['another size', [file('a')], [file('a', ONE, '0644', 2)], { modified: ['a'] }],
    ['another mode', [file('a')], [file('a', ONE, '0600')], { mode_changed: ['a'] }],
    ['other content and mode', [file('a')], [file('a', TWO, '0600')], { modified: ['a'] }],
    ['a file that became a directory', [file('a')], [entry('a', 'dir 0644 - -')], { type_changed: ['a'] }],
    ['a file that became a symlink', [file('a')], [entry('a', `symlink - - ${ONE}`)], { type_changed: ['a'] }],
    ['another target', [entry('a', `symlink - - ${ONE}`)], [entry('a', `symlink - - ${TWO}`)], { modified: ['a'] }],
    ['a directory\u2019s mode', [entry('a', 'dir 0755 - -')], [entry('a', 'dir 0700 - -')], { mode_changed: ['a'] }],
    ['paths that are no text', [], [file('\xff\n')], { added: ['\\xff\\n'] }],
  ] as [string, string[], string[], object][])('%s is found', ([, from, to, expected]) => {
    expect(compareManifests(from, to)).toEqual({ ...NONE, ...expected });
  });

  test('every kind is found in one pass, in manifest order', () => {
    const from = ['a', 'b', 'c', 'd', 'e'].map((path) => file(path));
    const to = [file('0'), file('b', TWO), file('c'), file('d', ONE, '0600'), entry('e', 'dir 0755 - -'), file('f')];

    expect(compareManifests(from, to)).toEqual({
      added: ['0', 'f'],
      removed: ['a'],
      modified: ['b'],
      mode_changed: ['d'],
      type_changed: ['e'],
    });
  });

  test('a path and the longer ones that begin with it are told apart', () => {
    const from = ['a', 'a-b', 'a.txt', 'a/z'].map((path) => file(path));

    expect(compareManifests(from, [file('a'), file('a/z')])).toEqual({ ...NONE, removed: ['a-b', 'a.txt'] });
  });

  test('the two of the vectors have nothing in common', () => {
    const changes = compareManifests(parseManifest(MANIFESTS.M1) ?? [], parseManifest(MANIFESTS.M3) ?? []);

    expect(changes.removed).toEqual(['hello.txt']);
    expect(changes.added).toHaveLength(13);
    expect(changes.added).toContain('\\xff\\xfe');
    expect(isUnchanged(changes)).toBe(false);
    expect(isUnchanged(NONE)).toBe(true);
  });
});
