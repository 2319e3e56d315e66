import { expect, test } from 'vitest';
import { errnoIn, errnoOfText } from '../src/errno-text.ts';

test.for([
  ['cp: error writing: No space left on device', 'ENOSPC'],
  ['cp: Disk quota exceeded', 'EDQUOT'],
  ['mkdir: Read-only file system', 'EROFS'],
  ["sync: error syncing 'x': Stale file handle", 'ESTALE'],
  ["rm: cannot remove 'x': Directory not empty", 'ENOTEMPTY'],
  ["rm: cannot remove 'x': Device or resource busy", 'EBUSY'],
  ["mv: cannot move 'x': Invalid cross-device link", 'EXDEV'],
  ['cp: Too many open files', 'EMFILE'],
  ['cp: Too many levels of symbolic links', 'ELOOP'],
  ['all is well', undefined],
] as const)('%j means %s', ([message, errno]) => {
  expect(errnoIn(message)).toBe(errno);
});

test('a text is known as a whole or not at all', () => {
  expect(errnoOfText('Permission denied')).toBe('EACCES');
  expect(errnoOfText('Permission denied, said he')).toBeUndefined();
  expect(errnoOfText('constructor')).toBeUndefined();
});
