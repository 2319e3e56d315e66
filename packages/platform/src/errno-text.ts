/** What C programs print for an errno in the C locale, by strerror(3) of glibc. */
const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  'No such file or directory': 'ENOENT',
  'Not a directory': 'ENOTDIR',
  'Is a directory': 'EISDIR',
  'Directory not empty': 'ENOTEMPTY',
  'File exists': 'EEXIST',
  'No space left on device': 'ENOSPC',
  'Disk quota exceeded': 'EDQUOT',
  'Input/output error': 'EIO',
  'Permission denied': 'EACCES',
  'Operation not permitted': 'EPERM',
  'Read-only file system': 'EROFS',
  'Device or resource busy': 'EBUSY',
  'Text file busy': 'ETXTBSY',
  'File name too long': 'ENAMETOOLONG',
  'Argument list too long': 'E2BIG',
  'Too many levels of symbolic links': 'ELOOP',
  'Too many open files': 'EMFILE',
  'Too many links': 'EMLINK',
  'Cannot allocate memory': 'ENOMEM',
  'File too large': 'EFBIG',
  'Operation not supported': 'EOPNOTSUPP',
  'Invalid argument': 'EINVAL',
  'Invalid cross-device link': 'EXDEV',
  'Structure needs cleaning': 'EUCLEAN',
  'Stale file handle': 'ESTALE',
  'Transport endpoint is not connected': 'ENOTCONN',
};

/** The errno whose text `words` is; undefined for any other text. */
export function errnoOfText(words: string): string | undefined {
  return Object.hasOwn(ERRNO_TEXTS, words) ? ERRNO_TEXTS[words] : undefined;
}

/** The errno that a C program's message names, in the C locale. */
export function errnoIn(message: string): string | undefined {
  return Object.entries(ERRNO_TEXTS).find(([words]) => message.includes(words))?.[1];
}
