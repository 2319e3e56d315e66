import { errnoOfText } from '@jvs/platform/errno-text';
import { errnoError } from '@jvs/platform/errors';
import type { Degradation } from './snapshot-engine.ts';

/** What a line of GNU cp's standard error, in the C locale, means for a clone. */
export type Complaint =
  /** The entry was gone or replaced when cp came to it: the next scan will show it. */
  { kind: 'changed' } | { kind: 'lost'; what: Degradation } | { kind: 'failed'; error: Error };

/** Each pattern is the beginning of a message in coreutils' copy.c, or in libattr's attr_copy_fd. */
const LOSSES: readonly (readonly [RegExp, Degradation])[] = [
  [/^(?:setting|getting) attributes? |^listing attributes of /, 'xattr'],
  [/^preserving permissions for /, 'acl'],
  [/^(?:failed to preserve (?:ownership|authorship) for|cannot set ownership)/, 'owner'],
  [/^preserving times for /, 'mtime'],
];

/** Source paths are given to cp as `./…`, target paths absolute: that tells whose entry is missing. */
const OF_SOURCE = /^[a-z ]+ ["']\.\//;
/** cp quotes for the shell: in single quotes, or in double ones what holds a single one. */
const QUOTED = /'(.*?)'|"(.*?)"/;
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE']);

export function readComplaint(line: string): Complaint {
  const text = line.replace(/^cp: /, '');
  if (/^warning: |^skipping file .* as it was replaced while being copied$/.test(text)) return { kind: 'changed' };
  const loss = LOSSES.find(([pattern]) => pattern.test(text));
  const reason = /: ([^:]+)$/.exec(text)?.[1] ?? '';
  const errno = errnoOfText(reason) ?? 'EIO';
  // A broken disk or a read-only one is no loss of metadata, whatever was being done.
  if (loss !== undefined && errno !== 'EIO' && errno !== 'EROFS') return { kind: 'lost', what: loss[1] };
  if (OF_SOURCE.test(text) && GONE.has(errno)) return { kind: 'changed' };
  const [, plain, withQuote] = QUOTED.exec(text) ?? [];
  const error = errnoError(errno, 'copy', plain ?? withQuote);
  error.message = `${errno}: ${text}`;
  return { kind: 'failed', error };
}
