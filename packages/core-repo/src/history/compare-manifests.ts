import { displayPath, type BytePath } from '@jvs/platform/byte-path';
import { pathOf } from '../snapshot/manifest.ts';
import type { EntrySource } from '../snapshot/manifest-stream.ts';

/** What differs between two payloads; paths in display form, in manifest order. */
export interface Changes {
  added: string[];
  removed: string[];
  modified: string[];
  mode_changed: string[];
  type_changed: string[];
}
export type ChangeKind = keyof Changes;

/** One path that differs, with its manifest entries; undefined on the side that lacks it. */
export interface Change {
  kind: ChangeKind;
  path: BytePath;
  before: string | undefined;
  after: string | undefined;
}

/** One merge of two sorted manifests. */
export function compareManifests(from: Iterable<string>, to: Iterable<string>): Changes {
  return listChanges(changesBetween(from, to));
}

/** The paths of changes by kind, in the order they come. */
export function listChanges(changes: Iterable<Change>): Changes {
  const lists: Changes = { added: [], removed: [], modified: [], mode_changed: [], type_changed: [] };
  for (const { kind, path } of changes) lists[kind].push(displayPath(path));
  return lists;
}

/** Goes through two sorted manifests once, and holds one entry of each at a time. */
export function* changesBetween(
  from: Iterable<string> | EntrySource,
  to: Iterable<string> | EntrySource,
): Generator<Change> {
  for (const { path, before, after } of differingPairs(from, to)) {
    if (before === undefined) yield { kind: 'added', path, before, after };
    else if (after === undefined) yield { kind: 'removed', path, before, after };
    else yield { kind: kindOfChange(before, after), path, before, after };
  }
}

/** The entries of each path where the two sides are not the same text. Both sides are always read to their end. */
export function* differingPairs(
  from: Iterable<string> | EntrySource,
  to: Iterable<string> | EntrySource,
): Generator<Pick<Change, 'path' | 'before' | 'after'>> {
  const left = new Side(from);
  const right = new Side(to);
  while (left.item !== undefined || right.item !== undefined) {
    // Most entries of two snapshots are the same line, and are not looked into.
    if (left.item === right.item) {
      left.next();
      right.next();
      continue;
    }
    const { entry: before, path: oldPath } = left;
    const { entry: after, path: newPath } = right;
    if (newPath === undefined || (oldPath !== undefined && oldPath < newPath)) {
      yield { path: oldPath ?? '', before, after: undefined };
      left.next();
    } else if (oldPath === undefined || newPath < oldPath) {
      yield { path: newPath, before: undefined, after };
      right.next();
    } else {
      if (before !== after) yield { path: newPath, before, after };
      left.next();
      right.next();
    }
  }
}

/** One side of a merge: where it is, with the entry and path made of the item only when asked for. */
class Side {
  readonly #items: Iterator<string>;
  readonly #entryOf: (item: string) => string;
  #entry: string | undefined;
  #path: BytePath | undefined;
  item: string | undefined;

  constructor(source: Iterable<string> | EntrySource) {
    if ('entryOf' in source) {
      this.#items = source.items[Symbol.iterator]();
      this.#entryOf = (item) => source.entryOf(item);
    } else {
      this.#items = source[Symbol.iterator]();
      this.#entryOf = (item) => item;
    }
    this.next();
  }

  next(): void {
    const { done, value } = this.#items.next();
    this.item = done === true ? undefined : value;
    this.#entry = undefined;
    this.#path = undefined;
  }

  get entry(): string | undefined {
    if (this.#entry === undefined && this.item !== undefined) this.#entry = this.#entryOf(this.item);
    return this.#entry;
  }

  get path(): BytePath | undefined {
    const { entry } = this;
    if (this.#path === undefined && entry !== undefined) this.#path = pathOf(entry);
    return this.#path;
  }
}

/** How two entries of one path differ; other content outweighs another mode. */
export function kindOfChange(before: string, after: string): 'modified' | 'mode_changed' | 'type_changed' {
  const [oldType, oldMode, ...oldContent] = factsOf(before);
  const [newType, newMode, ...newContent] = factsOf(after);
  if (oldType !== newType) return 'type_changed';
  if (oldContent.join() !== newContent.join()) return 'modified';
  return oldMode === newMode ? 'modified' : 'mode_changed';
}

/** Type, mode, size and hash of an entry, as the manifest spells them. */
export function factsOf(entry: string): string[] {
  return entry.slice(entry.indexOf('\0') + 1).split(' ');
}

/** The size of a file, bytes; 0 for anything else. */
export function sizeOf(entry: string | undefined): number {
  const size = entry === undefined ? '-' : (factsOf(entry)[2] ?? '-');
  return size === '-' ? 0 : Number(size);
}

export function isUnchanged(changes: Changes): boolean {
  const { added, removed, modified, mode_changed: modes, type_changed: types } = changes;
  return [added, removed, modified, modes, types].every((paths) => paths.length === 0);
}
