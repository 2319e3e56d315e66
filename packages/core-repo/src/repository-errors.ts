import { CodedError } from '@jvs/platform/errors';

/** Nothing has that name or id. */
export class NotFoundError extends CodedError {
  readonly code = 'E_NOT_FOUND';
  constructor(what: string, name: string, hint?: string) {
    super(`There is no ${what} "${name}"`, { ...(hint === undefined ? {} : { hint }), details: { what, name } });
  }
}

/** The name is taken. */
export class ExistsError extends CodedError {
  readonly code = 'E_EXISTS';
  constructor(what: string, name: string, hint?: string) {
    super(`There already is a ${what} "${name}"`, { ...(hint === undefined ? {} : { hint }), details: { what, name } });
  }
}

/** An argument that cannot be meant. */
export class UsageError extends CodedError {
  readonly code = 'E_USAGE';
}

/** A control file is missing, unreadable, or does not agree with its checksum. */
export class DescriptorCorruptError extends CodedError {
  readonly code = 'E_DESCRIPTOR_CORRUPT';
  constructor(file: string, why: string, cause?: unknown) {
    super(`The control file "${file}" ${why}`, {
      cause,
      hint: 'Run "jvs doctor --strict" to see what else is damaged; restore the file from a backup.',
      details: { path: file, why },
    });
  }
}

/** The snapshot exists but is not visible: never finished, or not yet. */
export class PartialSnapshotError extends CodedError {
  readonly code = 'E_PARTIAL_SNAPSHOT';
  constructor(id: string, why: string) {
    super(`Snapshot ${id} is not complete: ${why}`, {
      hint: 'Run "jvs doctor" to see what it was part of.',
      details: { snapshot_id: id, why },
    });
  }
}
