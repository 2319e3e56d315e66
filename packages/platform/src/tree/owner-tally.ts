import type { BytePath } from '../byte-path.ts';
import type { OwnerCount } from './tree-job.ts';

/** Counts entries by owner and group. Most trees have one owner, so the last one met is looked at first. */
export class OwnerTally {
  readonly #counts = new Map<string, OwnerCount>();
  #last: OwnerCount | undefined;

  add(uid: number, gid: number, path: BytePath, count = 1): void {
    if (this.#last?.uid !== uid || this.#last.gid !== gid) this.#last = this.#find(uid, gid, path);
    this.#last.count += count;
  }

  merge(counts: readonly OwnerCount[]): void {
    for (const { uid, gid, example, count } of counts) this.add(uid, gid, example, count);
  }

  list(): OwnerCount[] {
    return [...this.#counts.values()];
  }

  #find(uid: number, gid: number, example: BytePath): OwnerCount {
    const key = `${uid}:${gid}`;
    const known = this.#counts.get(key) ?? { uid, gid, count: 0, example };
    this.#counts.set(key, known);
    return known;
  }
}
