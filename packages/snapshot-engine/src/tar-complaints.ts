import { errnoIn, errnoOfText } from '@jvs/platform/errno-text';
import { errnoError } from '@jvs/platform/errors';
import type { Complaint } from './cp-complaints.ts';
import type { Degradation } from './snapshot-engine.ts';

/**
 * The messages in GNU tar's xattrs.c and extract.c. Paths come first, with their colons escaped, or last: a directory
 * named `oracle` says nothing about ACLs.
 */
const LOSSES: readonly (readonly [RegExp, Degradation])[] = [
  [/^acl_\w+: Cannot |^[^:]*: (?:Warning: )?Cannot (?:file_has_acl|acl_)\w*: /, 'acl'],
  [/^\w*(?:xattr|setfilecon)\w*: Cannot |^[^:]*: (?:Warning: )?Cannot \w*(?:xattr|setfilecon)\w*: /, 'xattr'],
  [/: Cannot set (?:SELinux context|'[^']*' extended attribute) for file /, 'xattr'],
  [/: Cannot change ownership to /, 'owner'],
  [/: Cannot change mode to /, 'mode'],
  [/: Cannot utime: /, 'mtime'],
];
/** A directory of the source went away, or something else stood there and does not fit over the copy's. */
const CHANGED = /: (?:No such file or directory|Not a directory|Too many levels of symbolic links|File exists)$/;
const NO_FAILURE =
  /: File removed before we read it|: file changed as we read it|^Exiting with failure status due to previous errors$/;

/** What a line of GNU tar's standard error, in the C locale, means for a clone. */
export function readTarComplaint(line: string): Complaint {
  const text = line.replace(/^tar: /, '');
  if (NO_FAILURE.test(text) || (/: Cannot /.test(text) && CHANGED.test(text))) return { kind: 'changed' };
  const reason = /: ([^:]+)$/.exec(text)?.[1] ?? '';
  const errno = errnoOfText(reason) ?? errnoIn(text) ?? 'EIO';
  const loss = LOSSES.find(([pattern]) => pattern.test(text.replaceAll('\\:', '')));
  // A broken disk or a read-only one is no loss of metadata, whatever was being done.
  if (loss !== undefined && errno !== 'EIO' && errno !== 'EROFS') return { kind: 'lost', what: loss[1] };
  return { kind: 'failed', error: errnoError(errno, text) };
}
