import { expect, test } from 'vitest';
import { readTarComplaint } from '../src/tar-complaints.ts';

// The wording is that of GNU tar 1.34, extract.c and xattrs.c.
test.each([
  'tar: ./gone: Cannot stat: No such file or directory',
  'tar: ./gone: Cannot open: No such file or directory',
  'tar: ./d/e: Cannot open: Not a directory',
  'tar: ./d: File removed before we read it',
  'tar: ./d: file changed as we read it',
  'tar: Exiting with failure status due to previous errors',
  'tar: ./d: Cannot open: File exists',
  'tar: ./d: Cannot create symlink to ‘/tmp’: File exists',
])('a directory that went away or was replaced is a change: %s', (line) => {
  expect(readTarComplaint(line)).toEqual({ kind: 'changed' });
});

test.each([
  ["tar: setxattrat: Cannot set 'user.a' extended attribute for file './d': No space left on device", 'xattr'],
  ["tar: lsetxattr: Cannot set 'user.a' extended attribute for file './d': Operation not supported", 'xattr'],
  ['tar: ./d: Warning: Cannot llistxattrat: Permission denied', 'xattr'],
  ["tar: lsetfileconat: Cannot set SELinux context for file './d': Operation not supported", 'xattr'],
  ["tar: acl_set_file_at: Cannot set POSIX ACLs for file './d': Operation not supported", 'acl'],
  ["tar: acl_delete_def_file_at: Cannot drop default POSIX ACLs for file './d': Operation not permitted", 'acl'],
  ['tar: ./a\\: b: Warning: Cannot acl_get_file_at: Operation not permitted', 'acl'],
  ['tar: ./d: Cannot change ownership to uid 1234, gid 1234: Operation not permitted', 'owner'],
  ['tar: ./d: Cannot change mode to rwxr-x---: Operation not permitted', 'mode'],
  ['tar: ./d: Cannot utime: Operation not permitted', 'mtime'],
])('metadata that the target does not take is a loss: %s', (line, what) => {
  expect(readTarComplaint(line)).toEqual({ kind: 'lost', what });
});

test.each([
  ['tar: ./oracle: Cannot open: Permission denied', 'EACCES'],
  ['tar: ./myxattrs: Cannot open: No space left on device', 'ENOSPC'],
  ['tar: ./acl_: Cannot mkdir: Permission denied', 'EACCES'],
  ['tar: ./d: Cannot change mode to rwxr-x---: Read-only file system', 'EROFS'],
  ["tar: acl_set_file_at: Cannot set POSIX ACLs for file './d': Input/output error", 'EIO'],
  ['tar: Error is not recoverable: exiting now', 'EIO'],
])('anything else fails, whatever the directory is called: %s', (line, code) => {
  expect(readTarComplaint(line)).toMatchObject({ kind: 'failed', error: { code } });
});
