import { bytesOf, displayPath } from '@jvs/platform/byte-path';
import type { Repository } from '../repository.ts';
import { pathOf } from '../snapshot/manifest.ts';
import { streamManifest } from '../snapshot/manifest-stream.ts';
import { requireVisible } from '../snapshot/visible.ts';
import { factsOf } from './compare-manifests.ts';

/** What a snapshot holds at one path. */
export interface ManifestEntry {
  type: 'file' | 'dir' | 'symlink';
  /** Display form: escapes as in the manifest, `\xHH` for each byte that is no UTF-8. */
  path: string;
  /** The path itself, relative to the payload, `/` between components. */
  bytes: Uint8Array;
  /** Permission bits with setuid, setgid and sticky; null for a symlink. */
  mode: number | null;
  /** Bytes of a file; null for anything else. */
  size: number | null;
  /** SHA-256 of a file's contents or a symlink's target; null for a directory. */
  sha256: string | null;
}

/**
 * The entries of a snapshot in the byte order of their paths. The manifest's own hash is checked at the end: who stops
 * earlier has not checked it.
 * @throws NotFoundError, DescriptorCorruptError, PartialSnapshotError, ManifestLostError, PayloadMismatchError
 */
export async function* readManifest(r: Repository, id: string): AsyncGenerator<ManifestEntry> {
  const source = await streamManifest(r, await requireVisible(r, id));
  for (const item of source.items) yield parse(source.entryOf(item));
}

function parse(entry: string): ManifestEntry {
  const path = pathOf(entry);
  const [type = '', mode = '-', size = '-', sha256 = '-'] = factsOf(entry);
  return {
    type: type as ManifestEntry['type'],
    path: displayPath(path),
    bytes: bytesOf(path),
    mode: mode === '-' ? null : Number.parseInt(mode, 8),
    size: size === '-' ? null : Number(size),
    sha256: sha256 === '-' ? null : sha256,
  };
}
