import { expect, test } from 'vitest';
import { readComplaint } from '../src/cp-complaints.ts';

test.each([
  ["cp: cannot stat './gone': No such file or directory"],
  ["cp: cannot open './gone' for reading: No such file or directory"],
  ["cp: cannot access './dir': No such file or directory"],
  ["cp: cannot stat './dir/file': Not a directory"],
  [`cp: cannot stat "./it's gone": No such file or directory`],
  ["cp: cannot open './now a link' for reading: Too many levels of symbolic links"],
  ["cp: skipping file './swapped', as it was replaced while being copied"],
])('an entry of the source that went away is a change: %s', (line) => {
  expect(readComplaint(line)).toEqual({ kind: 'changed' });
});

test.each([
  ["cp: setting attribute 'user.a' for '/t/x': No space left on device", 'xattr'],
  ["cp: setting attributes for '/t/x': Operation not supported", 'xattr'],
  ["cp: preserving permissions for '/t/x': Operation not supported", 'acl'],
  ["cp: failed to preserve ownership for '/t/x': Invalid argument", 'owner'],
  ["cp: preserving times for '/t/x': Operation not permitted", 'mtime'],
])('metadata that the target does not take is a loss: %s', (line, what) => {
  expect(readComplaint(line)).toEqual({ kind: 'lost', what });
});

test.each([
  ["cp: error writing '/t/x': No space left on device", 'ENOSPC', '/t/x'],
  ["cp: error copying './x' to '/t/x': Disk quota exceeded", 'EDQUOT', './x'],
  ["cp: error reading './x': Input/output error", 'EIO', './x'],
  ["cp: setting attributes for '/t/x': Input/output error", 'EIO', '/t/x'],
  ["cp: cannot open './x' for reading: Permission denied", 'EACCES', './x'],
  ["cp: cannot create regular file '/t/x': No such file or directory", 'ENOENT', '/t/x'],
  ["cp: cannot create directory '/t/x': Read-only file system", 'EROFS', '/t/x'],
  [`cp: error reading "./it's": Input/output error`, 'EIO', "./it's"],
  ['cp: something nobody has seen yet', 'EIO', undefined],
])('anything else fails with its errno and path: %s', (line, code, path) => {
  const complaint = readComplaint(line);

  expect(complaint).toMatchObject({ kind: 'failed', error: { code } });
  expect(complaint.kind === 'failed' && 'path' in complaint.error ? complaint.error.path : undefined).toBe(path);
});
