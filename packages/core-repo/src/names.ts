import { randomBytes } from 'node:crypto';
import * as z from 'zod/mini';
import { CodedError } from '@jvs/platform/errors';

/** Creation time in ms since 1970, zero-padded, and 32 random bits. Opaque; its order is advisory. */
export const SNAPSHOT_ID = /^\d{13}-[0-9a-f]{8}$/;
export const SnapshotId = z.string().check(z.regex(SNAPSHOT_ID));

/** Characters and length of every name; {@link checkName} has the rest. */
export const NAME = /^[A-Za-z0-9._-]{1,128}$/;
const RESERVED_ENDS = ['.tmp', '.gone', '.lock'];

/** A name that cannot be one of a repository, worktree, ref or tag. */
export class NameInvalidError extends CodedError {
  readonly code = 'E_NAME_INVALID';
  constructor(kind: string, name: string, why: string) {
    super(`"${name}" cannot be the name of a ${kind}: ${why}`, {
      hint: 'Use 1 to 128 letters, digits, dots, dashes and underscores, starting with a letter, digit or underscore.',
      details: { kind, name },
    });
  }
}

/** @throws NameInvalidError */
export function checkName(kind: string, name: string): void {
  const why = problemOf(name);
  if (why !== undefined) throw new NameInvalidError(kind, name, why);
}

function problemOf(name: string): string | undefined {
  if (!NAME.test(name)) return name === '' ? 'it is empty' : 'it has other characters or is too long';
  if (name.includes('..')) return 'it contains ".."';
  if (/^[.-]/.test(name)) return 'it starts with a dot or dash';
  const end = RESERVED_ENDS.find((reserved) => name.endsWith(reserved));
  if (end !== undefined) return `it ends in "${end}"`;
  if (name === 'HEAD') return 'that word stands for the newest snapshot';
  return SNAPSHOT_ID.test(name) ? 'it looks like a snapshot id' : undefined;
}

export function newSnapshotId(nowMs: number): string {
  return `${String(nowMs).padStart(13, '0')}-${randomBytes(4).toString('hex')}`;
}
