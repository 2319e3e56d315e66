import { displayPath } from '@jvs/platform/byte-path';
import { CodedError } from '@jvs/platform/errors';
import { entriesOf, type TreeScan } from '@jvs/platform/tree';
import { CONTROL_DIRECTORY, READY_FILE } from '../layout.ts';

/** The payload holds something that no snapshot can keep. */
export class PayloadUnsupportedError extends CodedError {
  readonly code = 'E_PAYLOAD_UNSUPPORTED';
  constructor(paths: readonly string[], why: string, hint: string) {
    super(`The payload holds ${paths.map((path) => `"${path}"`).join(', ')}: ${why}`, { hint, details: { paths } });
  }
}

const SHOWN = 10;

/**
 * The rules that every payload obeys: no entry named `.jvs` or `.READY` in its root, nothing mounted inside it.
 * @throws PayloadUnsupportedError
 */
export function checkPayloadRules(scan: TreeScan): void {
  const reserved = entriesOf(scan, '').filter(({ name }) => name === CONTROL_DIRECTORY || name === READY_FILE);
  if (reserved.length > 0) {
    const names = reserved.map(({ name }) => name);
    throw new PayloadUnsupportedError(
      names,
      'jvs keeps that name in the root of a payload for itself',
      'Rename or remove it.',
    );
  }
  refuseMounts(scan);
}

/** Nothing is mounted inside a tree that is copied, or is moved to where it will be deleted. @throws PayloadUnsupportedError */
export function refuseMounts({ mounts }: Pick<TreeScan, 'mounts'>): void {
  if (mounts.length === 0) return;
  const names = mounts.slice(0, SHOWN).map((path) => displayPath(path));
  throw new PayloadUnsupportedError(
    names,
    'another filesystem is mounted there',
    'Unmount it, or keep it outside the worktree.',
  );
}
