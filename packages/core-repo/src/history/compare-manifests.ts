import { displayPath } from '@jvs/platform/byte-path';
import { pathOf, type ManifestEntries } from '../snapshot/manifest.ts';

/** What differs between two payloads; paths in display form, in manifest order. */
export interface Changes {
  added: string[];
  removed: string[];
  modified: string[];
  mode_changed: string[];
  type_changed: string[];
}

/** One merge of two sorted manifests. */
export function compareManifests(from: ManifestEntries, to: ManifestEntries): Changes {
  const changes: Changes = { added: [], removed: [], modified: [], mode_changed: [], type_changed: [] };
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    const old = from[i];
    const now = to[j];
    if (old === now) {
      i += 1;
      j += 1;
      continue;
    }
    const oldPath = old === undefined ? undefined : pathOf(old);
    const nowPath = now === undefined ? undefined : pathOf(now);
    if (nowPath === undefined || (oldPath !== undefined && oldPath < nowPath)) {
      changes.removed.push(displayPath(oldPath ?? ''));
      i += 1;
    } else if (oldPath === undefined || nowPath < oldPath) {
      changes.added.push(displayPath(nowPath));
      j += 1;
    } else {
      changes[kindOfChange(old ?? '', now ?? '')].push(displayPath(nowPath));
      i += 1;
      j += 1;
    }
  }
  return changes;
}

function kindOfChange(old: string, now: string): 'modified' | 'mode_changed' | 'type_changed' {
  const [oldType, oldMode, ...oldContent] = old.slice(old.indexOf('\0') + 1).split(' ');
  const [nowType, nowMode, ...nowContent] = now.slice(now.indexOf('\0') + 1).split(' ');
  if (oldType !== nowType) return 'type_changed';
  if (oldContent.join() !== nowContent.join()) return 'modified';
  return oldMode === nowMode ? 'modified' : 'mode_changed';
}

export function isUnchanged(changes: Changes): boolean {
  return Object.values(changes).every((paths: string[]) => paths.length === 0);
}
